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

{{/* What selects sessions' pods, which the operator makes. */}}
{{- define "jelmore.sessionPods" -}}
app.kubernetes.io/managed-by: jelmore
app.kubernetes.io/name: jelmore-session
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

{{/* Metadata of a part's pods. Given: dict "root" $ "part" "api" "annotations" (what the chart adds itself) */}}
{{- define "jelmore.podMetadata" -}}
{{- $values := index .root.Values .part -}}
labels:
  {{- mergeOverwrite (dict) $values.podLabels (include "jelmore.partLabels" . | fromYaml) | toYaml | nindent 2 }}
{{- with mergeOverwrite (dict) $values.podAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What both parts' pods have in common. Given: dict "root" $ "part" "api" */}}
{{- define "jelmore.podCommon" -}}
{{- $values := index .root.Values .part -}}
serviceAccountName: {{ include (printf "jelmore.%s.serviceAccountName" .part) .root }}
# It talks to the API server.
automountServiceAccountToken: true
# Services near by would come as variables, and JELMORE_… are settings.
enableServiceLinks: false
securityContext:
  {{- include "jelmore.podSecurity" . | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
  {{- range $values.topologySpreadConstraints | default (list (include "jelmore.spreadOverNodes" . | fromYaml)) }}
  - {{- mergeOverwrite (dict "labelSelector" (dict "matchLabels" (include "jelmore.selector" $ | fromYaml))) . | toYaml | nindent 4 }}
  {{- end }}
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

{{- define "jelmore.spreadOverNodes" -}}
maxSkew: 1
topologyKey: kubernetes.io/hostname
whenUnsatisfiable: ScheduleAnyway
{{- end -}}

{{/* What drains must leave running of a part. Given: dict "root" $ "part" "api" */}}
{{- define "jelmore.podDisruptionBudget" -}}
{{- $values := index .root.Values .part -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "jelmore.fullname" .root }}-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "jelmore.partLabels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  # A pod that is not ready has nothing to lose.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "jelmore.selector" . | nindent 6 }}
{{- end -}}

{{/* Of what sessions may choose, the ranges in which much else may lie, each with a space before it. */}}
{{- define "jelmore.wideEgress" -}}
{{- range .Values.sessions.egress.allowedCidrs -}}
{{- if lt (splitList "/" . | last | int) 24 }} {{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Environment variables with the URL of a server. Given: dict "root" $ "server" "database" */}}
{{- define "jelmore.serverUrl" -}}
{{- $server := index .root.Values .server -}}
{{- if .root.Values.bundled.enabled -}}
{{ include (printf "jelmore.bundled.%s" .server) .root }}
{{- else -}}
- name: JELMORE_{{ upper .server }}_URL
  valueFrom:
    secretKeyRef:
      name: {{ $server.existingSecret | default (include "jelmore.serversSecret" .root) }}
      key: {{ ternary $server.key .server (ne $server.existingSecret "") }}
{{- end -}}
{{- end -}}

{{- define "jelmore.natsUrl" -}}
{{- if .Values.bundled.enabled -}}
nats://{{ include "jelmore.bundled.host" (dict "root" . "server" "nats") }}:4222
{{- else -}}
{{ .Values.nats.url }}
{{- end -}}
{{- end -}}

{{/* The files for TLS that are named: the value with the Secret's key, and the file. Given: dict "root" $ */}}
{{- define "jelmore.natsTls" -}}
{{- if not .root.Values.bundled.enabled -}}
{{- range $value, $path := dict "caKey" "ca.crt" "certificateKey" "tls.crt" "keyKey" "tls.key" -}}
{{- if index $.root.Values.nats $value }}
{{ $value }}: {{ $path }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How the bus is reached, as environment variables. */}}
{{- define "jelmore.natsEnv" -}}
- {name: JELMORE_NATS_URL, value: {{ include "jelmore.natsUrl" . | quote }}}
- {name: JELMORE_NATS_CREDENTIALS, value: /etc/jelmore/nats/core.creds}
{{- range $value, $path := include "jelmore.natsTls" (dict "root" .) | fromYaml }}
- {name: JELMORE_NATS_{{ trimSuffix "Key" $value | upper }}, value: /etc/jelmore/nats/{{ $path }}}
{{- end }}
{{- end -}}

{{/* Where the bus' credentials are. Given: dict "root" $ "operator" true */}}
{{- define "jelmore.natsVolume" -}}
{{- $nats := .root.Values.nats -}}
{{- if .root.Values.bundled.enabled -}}
{{- $nats = dict "existingSecret" (include "jelmore.bundled.secret" .root) "coreKey" "core.creds" "sessions" "perSession" "identityKey" "nats-keys.json" -}}
{{- end -}}
name: nats
secret:
  secretName: {{ $nats.existingSecret }}
  defaultMode: 0440
  items:
    - {key: {{ $nats.coreKey | quote }}, path: core.creds}
    {{- range $value, $path := include "jelmore.natsTls" . | fromYaml }}
    - {key: {{ index $nats $value | quote }}, path: {{ $path }}}
    {{- end }}
    {{- if and .operator (eq $nats.sessions "perSession") }}
    - {key: {{ $nats.identityKey | quote }}, path: nats-keys.json}
    {{- else if .operator }}
    - {key: {{ $nats.sharedKey | quote }}, path: session.creds}
    {{- end }}
{{- end -}}
