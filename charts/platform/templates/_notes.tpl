{{- define "platform.notes" -}}
{{- if eq .Values.part "all" -}}
{{ .Chart.Name }} {{ include "platform.version" . }} answers through the Gateway {{ .Values.gateway.public }} in {{ .Values.gateway.namespace }}:
  curl http://ADDRESS-OF-THE-GATEWAY/{{ .Chart.Name }}/api
See that it does:
  helm test {{ .Release.Name }} --namespace {{ .Release.Namespace }}
From here on without losing a request, with analysis and a way back:
  deployer rollout {{ .Chart.Name }} --env {{ .Values.environment }}
{{- else if eq .Values.part "slot" -}}
{{ .Chart.Name }} {{ include "platform.version" . }} is in the slot {{ .Values.slot }}. The deployer moves traffic to it:
  deployer status --env {{ .Values.environment }}
{{- else -}}
What is around the slots of {{ .Chart.Name }} is there. The deployer fills them:
  deployer rollout {{ .Chart.Name }} --env {{ .Values.environment }}
{{- end }}
{{- end }}
