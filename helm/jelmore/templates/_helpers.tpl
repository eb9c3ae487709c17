{{/* Names and labels. */}}

{{- define "jelmore.fullname" -}}
{{- if contains "jelmore" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-jelmore" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of objects outside the release's namespace: releases of one name in two namespaces must not meet there. */}}
{{- define "jelmore.wideName" -}}
{{- $name := include "jelmore.fullname" . -}}
{{- if eq .Release.Namespace $name -}}
{{- $name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Namespace $name -}}
{{- end -}}
{{- end -}}

{{/* What selects a part's pods. Given: dict "root" $ "part" "api" */}}
{{- define "jelmore.selector" -}}
app.kubernetes.io/name: jelmore
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "jelmore.labels" -}}
app.kubernetes.io/name: jelmore
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* And of a part's. Given: dict "root" $ "part" "api" */}}
{{- define "jelmore.partLabels" -}}
{{ include "jelmore.labels" .root }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "jelmore.operator.serviceAccountName" -}}
{{- include "jelmore.fullname" . }}-operator
{{- end -}}

{{- define "jelmore.api.serviceAccountName" -}}
{{- include "jelmore.fullname" . }}-api
{{- end -}}

{{/* Given: dict "root" $ "image" .Values.image */}}
{{- define "jelmore.image" -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}

{{/* The Secret with the URLs that were given as values. */}}
{{- define "jelmore.serversSecret" -}}
{{- printf "%s-servers" (include "jelmore.fullname" .) -}}
{{- end -}}

{{/* What every container may: nothing more than the restricted Pod Security standard. */}}
{{- define "jelmore.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* And every pod. The group owns the mounted Secrets' files. */}}
{{- define "jelmore.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* How a part's pods are placed. Given: dict "root" $ "part" "api" */}}
{{- define "jelmore.placement" -}}
{{- $values := index .root.Values .part -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "jelmore.selector" . | nindent 8 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The value of an environment variable from a URL or its Secret. Given: dict "root" $ "server" "database" */}}
{{- define "jelmore.serverUrl" -}}
{{- $server := index .root.Values .server -}}
valueFrom:
  secretKeyRef:
    name: {{ $server.existingSecret | default (include "jelmore.serversSecret" .root) }}
    key: {{ ternary $server.key .server (ne $server.existingSecret "") }}
{{- end -}}
