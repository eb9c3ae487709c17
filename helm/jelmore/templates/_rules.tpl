{{/* What each part may do where sessions live, and why. */}}

{{- define "jelmore.rules.operator" -}}
# Sessions: to read them, to set and remove the finalizer, to say what was observed.
- apiGroups: [jelmore.dev]
  resources: [claudesessions]
  verbs: [get, list, watch, patch]
- apiGroups: [jelmore.dev]
  resources: [claudesessions/status]
  verbs: [patch]
# To own what it makes, where the API server asks for this right (OwnerReferencesPermissionEnforcement).
- apiGroups: [jelmore.dev]
  resources: [claudesessions/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
# The Secret of each session (bus credentials, configuration). It writes them, and reads none.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
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
