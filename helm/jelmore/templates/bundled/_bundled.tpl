{{/* What the servers for trying out have in common. */}}

{{- define "jelmore.bundled.secret" -}}
{{- include "jelmore.fullname" . }}-bundled
{{- end -}}

{{/* Sessions live in other namespaces. Given: dict "root" $ "server" "nats" */}}
{{- define "jelmore.bundled.host" -}}
{{- printf "%s-%s.%s.svc" (include "jelmore.fullname" .root) .server .root.Release.Namespace -}}
{{- end -}}

{{- define "jelmore.bundled.database" -}}
- name: POSTGRES_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "jelmore.bundled.secret" . }}, key: postgres-password}}
- name: JELMORE_DATABASE_URL
  value: postgresql://jelmore:$(POSTGRES_PASSWORD)@{{ include "jelmore.bundled.host" (dict "root" . "server" "postgres") }}:5432/postgres
{{- end -}}

{{- define "jelmore.bundled.redis" -}}
- name: VALKEY_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "jelmore.bundled.secret" . }}, key: valkey-password}}
- name: JELMORE_REDIS_URL
  value: redis://:$(VALKEY_PASSWORD)@{{ include "jelmore.bundled.host" (dict "root" . "server" "valkey") }}:6379/0
{{- end -}}

{{/* Name, namespace and labels of a server's objects. Given: dict "root" $ "part" "nats" */}}
{{- define "jelmore.bundled.metadata" -}}
name: {{ include "jelmore.fullname" .root }}-{{ .part }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "jelmore.partLabels" . | nindent 2 }}
{{- end -}}

{{/* A StatefulSet of one pod, down to its containers. Given: dict "root" $ "part" "nats" "configuration" "…" */}}
{{- define "jelmore.bundled.statefulSet" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "jelmore.bundled.metadata" . | nindent 2 }}
spec:
  replicas: 1
  serviceName: {{ include "jelmore.fullname" .root }}-{{ .part }}
  selector:
    matchLabels:
      {{- include "jelmore.selector" . | nindent 6 }}
  {{- with (index .root.Values.bundled .part).storage }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: {{ .size }}}}
        {{- with .storageClassName }}
        storageClassName: {{ . }}
        {{- end }}
  {{- end }}
  template:
    metadata:
      labels:
        {{- include "jelmore.partLabels" . | nindent 8 }}
      annotations:
        # Read at start: another one makes a new pod.
        checksum/configuration: {{ .configuration | sha256sum }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "jelmore.podSecurity" .root | nindent 8 }}
        fsGroupChangePolicy: OnRootMismatch
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* The head of a server's one container. Given: as above */}}
{{- define "jelmore.bundled.container" -}}
{{- $values := index .root.Values.bundled .part -}}
name: {{ .part }}
image: {{ include "jelmore.image" (dict "root" .root "image" $values.image) | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
securityContext:
  {{- include "jelmore.containerSecurity" .root | nindent 2 }}
{{- end -}}

{{/* Given: dict "root" $ "part" "nats" "port" 4222 */}}
{{- define "jelmore.bundled.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "jelmore.bundled.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "jelmore.selector" . | nindent 4 }}
  ports:
    - {name: {{ .part }}, port: {{ .port }}, targetPort: {{ .part }}}
{{- end -}}

{{/* Who may connect; it connects to nobody. Given: dict "root" $ "part" "nats" "from" (peers; none for everybody) */}}
{{- define "jelmore.bundled.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "jelmore.bundled.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "jelmore.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  egress: []
  ingress:
    - ports: [{protocol: TCP, port: {{ .part }}}]
      {{- with .from }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* The API's pods, as peers. */}}
{{- define "jelmore.bundled.apiPods" -}}
- podSelector:
    matchLabels:
      {{- include "jelmore.selector" (dict "root" . "part" "api") | nindent 6 }}
{{- end -}}
