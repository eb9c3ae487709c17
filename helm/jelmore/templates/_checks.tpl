{{/* Refuses what is given to a part and is the chart's own. Given: dict "root" $ "part" "api" */}}
{{- define "jelmore.checks.extra" -}}
{{- $values := index .root.Values .part -}}
{{- $own := dict "extraEnv" (list) "extraVolumes" (list "nats" "tmp") -}}
{{- range include (printf "jelmore.%s.env" .part) .root | fromYamlArray -}}
  {{- $_ := set $own "extraEnv" (append $own.extraEnv .name) -}}
{{- end -}}
{{- range $what, $names := $own -}}
  {{- range index $values $what -}}
    {{- if has .name $names -}}
      {{- fail (printf "\n\n%s.%s names %s, which the chart makes itself. Remove it, and set what stands for it in values.yaml instead." $.part $what .name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $label, $_ := include "jelmore.partLabels" . | fromYaml -}}
  {{- if hasKey $values.podLabels $label -}}
    {{- fail (printf "\n\n%s.podLabels sets %s, by which the chart finds its pods. Remove it." $.part $label) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Servers of one's own are all named. */}}
{{- define "jelmore.checks.servers" -}}
{{- if not .Values.nats.url -}}
  {{- fail "\n\nnats.url is missing. Set it to a NATS 2.12 or later with JetStream: --set nats.url=nats://HOST:4222; or, for trying out, bundled.enabled=true, and the chart brings servers of its own." -}}
{{- end -}}
{{- range $name, $example := dict "database" "postgresql://USER:PASSWORD@HOST:5432/NAME" "redis" "redis://HOST:6379/0" -}}
  {{- $server := index $.Values $name -}}
  {{- if and (not $server.url) (not $server.existingSecret) -}}
    {{- fail (printf "\n\n%s is missing. Set %s.url to %s, or %s.existingSecret to the name of a Secret that holds such a URL under the key %q." $name $name $example $name $server.key) -}}
  {{- end -}}
  {{- if and $server.url $server.existingSecret -}}
    {{- fail (printf "\n\n%s.url and %s.existingSecret are both set. Keep one of them." $name $name) -}}
  {{- end -}}
{{- end -}}
{{- if ne (empty .Values.nats.certificateKey) (empty .Values.nats.keyKey) -}}
  {{- fail "\n\nnats.certificateKey and nats.keyKey go together: name both, or none." -}}
{{- end -}}
{{- end -}}

{{/* And none where they are bundled. */}}
{{- define "jelmore.checks.bundled" -}}
{{- range $value, $given := dict "nats.url" .Values.nats.url "nats.sessionUrl" .Values.nats.sessionUrl "database.url" .Values.database.url "database.existingSecret" .Values.database.existingSecret "redis.url" .Values.redis.url "redis.existingSecret" .Values.redis.existingSecret -}}
  {{- if $given -}}
    {{- fail (printf "\n\n%s is set, and bundled.enabled brings a server of its own. Remove one of them: the bundled servers are for trying out." $value) -}}
  {{- end -}}
{{- end -}}
{{- if eq .Values.nats.sessions "shared" -}}
  {{- fail "\n\nnats.sessions is \"shared\", which is for a NATS without Jelmore's accounts: the bundled one has them. Remove it." -}}
{{- end -}}
{{- if .Values.networkPolicy.nats.to -}}
  {{- fail "\n\nnetworkPolicy.nats.to is set, and bundled.enabled brings a NATS whose place the chart knows. Remove it." -}}
{{- end -}}
{{- end -}}

{{/* A policy of a session's own widens the one that all of its namespace have. Where there is none it would close the pod. */}}
{{- define "jelmore.checks.egress" -}}
{{- $egress := .Values.sessions.egress -}}
{{- if or $egress.allowedCidrs $egress.allowedNamespaces -}}
  {{- if not .Values.networkPolicy.enabled -}}
    {{- fail "\n\nsessions.egress lets sessions reach more than networkPolicy does, and networkPolicy.enabled is false: they reach whatever the cluster lets them already. Remove sessions.egress, or set networkPolicy.enabled=true." -}}
  {{- end -}}
  {{- if not .Values.namespaces -}}
    {{- fail "\n\nsessions.egress needs namespaces: where a session's namespace has no policy of the chart, one of the session's own would cut it off from NATS. List the namespaces in which sessions may live, or remove sessions.egress." -}}
  {{- end -}}
  {{- if has .Release.Namespace $egress.allowedNamespaces -}}
    {{- fail (printf "\n\nsessions.egress.allowedNamespaces names %s, the release's own namespace, where the parts are that no session may reach. Remove it; networkPolicy.extraEgress names single pods." .Release.Namespace) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses values that do not fit together. What one value may look like says values.schema.json. */}}
{{- define "jelmore.checks" -}}
{{- if .Values.bundled.enabled -}}
  {{- include "jelmore.checks.bundled" . -}}
{{- else -}}
  {{- include "jelmore.checks.servers" . -}}
{{- end -}}
{{- if gt (add .Values.sessions.uidBase (mul 2 .Values.sessions.uidCount)) 2147483647 -}}
  {{- fail "\n\nsessions.uidBase and sessions.uidCount reach beyond 2147483647, the largest user id that container runtimes take. Lower one of them." -}}
{{- end -}}
{{- if .Values.networkPolicy.enabled -}}
  {{- if and (not .Values.namespaces) (not .Values.networkPolicy.namespaces) -}}
    {{- fail "\n\nnetworkPolicy.enabled needs to know where sessions live. Set namespaces (recommended), or networkPolicy.namespaces to those that shall get a policy; or set networkPolicy.enabled=false, and sessions' pods reach whatever the cluster lets them." -}}
  {{- end -}}
  {{- if and .Values.namespaces .Values.networkPolicy.namespaces -}}
    {{- fail "\n\nnamespaces and networkPolicy.namespaces are both set. Sessions' pods get their policy in every one of namespaces: remove networkPolicy.namespaces." -}}
  {{- end -}}
  {{- if not (or .Values.networkPolicy.nats.to .Values.bundled.enabled) -}}
    {{- fail "\n\nnetworkPolicy.nats.to is missing, and sessions would not reach NATS. Say where it is: a namespaceSelector or ipBlock, as values.yaml shows; or set networkPolicy.enabled=false, and sessions' pods reach whatever the cluster lets them." -}}
  {{- end -}}
{{- end -}}
{{- include "jelmore.checks.egress" . -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.hosts) -}}
  {{- fail "\n\napi.ingress.hosts is missing. Set it to the host names at which the API shall be reached: [jelmore.example.com]; or set api.ingress.enabled=false." -}}
{{- end -}}
{{- if and .Values.api.httpRoute.enabled (not .Values.api.httpRoute.parentRefs) -}}
  {{- fail "\n\napi.httpRoute.parentRefs is missing. Name the Gateway that shall lead to the API: [{name: GATEWAY, namespace: NAMESPACE}]; or set api.httpRoute.enabled=false." -}}
{{- end -}}
{{- if and .Values.metrics.alerts.enabled (not .Values.metrics.monitors.enabled) -}}
  {{- fail "\n\nmetrics.alerts.enabled needs metrics.monitors.enabled: without the monitors nothing is read, and some of the alerts would be raised for good. Set both, or none." -}}
{{- end -}}
{{- range $part := list "operator" "api" -}}
  {{- include "jelmore.checks.extra" (dict "root" $ "part" $part) -}}
{{- end -}}
{{- end -}}
