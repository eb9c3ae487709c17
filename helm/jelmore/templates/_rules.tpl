{{/* What each part may do where sessions live, and why. */}}

{{- define "jelmore.rules.operator" -}}
# Sessions: to see them, to set and remove the finalizer, to say what was observed, to delete what was asked to go.
- apiGroups: [jelmore.dev]
  resources: [claudesessions]
  verbs: [list, watch, patch, delete]
- apiGroups: [jelmore.dev]
  resources: [claudesessions/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
# Claims and Secrets go with the session that owns them: nothing is deleted here.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, create, patch]
# The policy of a session that asks to reach more than all may.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
# The Secret of each session (configuration, bus credentials). None is read, and none that a person made is touched.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "jelmore.rules.api" -}}
- apiGroups: [jelmore.dev]
  resources: [claudesessions]
  verbs: [get, list, watch, create, patch, delete]
{{- end -}}

{{/* Objects of RBAC have the same shape. Given: dict "root" $ "part" "api" "kind" "Role" "name" … "namespace" … */}}
{{- define "jelmore.rbacHead" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "jelmore.partLabels" (dict "root" .root "part" .part) | nindent 4 }}
{{- end -}}

{{/* Whom a part's binding is for, and what it gives. Given: dict "root" $ "part" "api" "kind" "Role" "name" … */}}
{{- define "jelmore.rbacBinding" -}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
  - {kind: ServiceAccount, name: {{ include (printf "jelmore.%s.serviceAccountName" .part) .root }}, namespace: {{ .root.Release.Namespace }}}
{{- end -}}
