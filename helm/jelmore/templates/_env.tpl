{{/* What the parts are told. `extraEnv` may name nothing of it: jelmore.checks.extra. */}}

{{- define "jelmore.operator.env" -}}
- {name: HOME, value: /tmp}
- name: JELMORE_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- {name: JELMORE_NAMESPACES, value: {{ join "," .Values.namespaces | quote }}}
{{ include "jelmore.natsEnv" . }}
- {name: JELMORE_SESSION_NATS_URL, value: {{ .Values.nats.sessionUrl | default (include "jelmore.natsUrl" .) | quote }}}
{{- if eq .Values.nats.sessions "perSession" }}
- {name: JELMORE_NATS_IDENTITY, value: /etc/jelmore/nats/nats-keys.json}
{{- else }}
- {name: JELMORE_NATS_SHARED_CREDENTIALS, value: /etc/jelmore/nats/session.creds}
{{- end }}
- {name: JELMORE_SESSION_IMAGE, value: {{ include "jelmore.image" (dict "root" . "image" .Values.sessionImage) | quote }}}
- {name: JELMORE_IMAGE_PULL_POLICY, value: {{ .Values.sessionImage.pullPolicy }}}
{{- with .Values.anthropic.baseUrl }}
- {name: JELMORE_ANTHROPIC_BASE_URL, value: {{ . | quote }}}
{{- end }}
- {name: JELMORE_CREDENTIALS_SECRET, value: {{ .Values.credentials.secretName }}}
- {name: JELMORE_CREDENTIALS_KIND, value: {{ .Values.credentials.kind }}}
- {name: JELMORE_OPERATOR_WORKERS, value: {{ .Values.operator.workers | quote }}}
- {name: JELMORE_OPERATOR_METRICS_PORT, value: "8001"}
- {name: JELMORE_UID_BASE, value: {{ .Values.sessions.uidBase | int64 | quote }}}
- {name: JELMORE_UID_COUNT, value: {{ .Values.sessions.uidCount | int64 | quote }}}
- {name: JELMORE_STORAGE_ACCESS_MODE, value: {{ .Values.sessions.storageAccessMode }}}
{{- range $value, $variable := dict "allowedCidrs" "ALLOWED_CIDRS" "deniedCidrs" "DENIED_CIDRS" "allowedNamespaces" "ALLOWED_NAMESPACES" }}
{{- with index $.Values.sessions.egress $value }}
- {name: JELMORE_EGRESS_{{ $variable }}, value: {{ join "," . | quote }}}
{{- end }}
{{- end }}
{{- with .Values.sessions.imagePullSecrets }}
{{- $names := list }}
{{- range . }}{{ $names = append $names .name }}{{ end }}
- {name: JELMORE_IMAGE_PULL_SECRETS, value: {{ join "," $names | quote }}}
{{- end }}
{{- end -}}

{{- define "jelmore.api.env" -}}
- {name: HOME, value: /tmp}
- {name: JELMORE_RESOURCES, value: kubernetes}
- {name: JELMORE_NAMESPACES, value: {{ join "," .Values.namespaces | quote }}}
{{- with first .Values.namespaces }}
- {name: JELMORE_NAMESPACE, value: {{ . }}}
{{- end }}
- {name: JELMORE_AUDIENCE, value: {{ .Values.api.audience | quote }}}
- {name: JELMORE_LOG_RETENTION, value: {{ .Values.api.retention.log }}}
- {name: JELMORE_STREAM_RETENTION, value: {{ .Values.api.retention.stream }}}
- {name: JELMORE_HOST, value: 0.0.0.0}
- {name: JELMORE_PORT, value: "8000"}
{{ include "jelmore.natsEnv" . }}
{{ include "jelmore.serverUrl" (dict "root" . "server" "database") }}
{{ include "jelmore.serverUrl" (dict "root" . "server" "redis") }}
{{- end -}}
