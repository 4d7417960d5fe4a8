{{/* What each part has. A service's chart includes this, and nothing else. */}}
{{- define "platform.manifests" -}}
{{- if has .Values.part (list "all" "service") }}
{{ include "platform.serviceaccount" . }}
---
{{ include "platform.networkpolicy" . }}
{{- end }}
{{- if has .Values.part (list "all" "slot") }}
---
{{ include "platform.configmap" . }}
---
{{ include "platform.deployment" . }}
---
{{ include "platform.service" . }}
---
{{ include "platform.poddisruptionbudget" . }}
{{- if .Values.autoscaling.enabled }}
---
{{ include "platform.horizontalpodautoscaler" . }}
{{- end }}
{{- if .Values.serviceMonitor }}
---
{{ include "platform.servicemonitor" . }}
{{- end }}
{{- end }}
{{- if has .Values.part (list "all" "migration") }}
---
{{ include "platform.migration" . }}
{{- end }}
{{- if eq .Values.part "all" }}
---
{{ include "platform.routes" . }}
{{- end }}
{{- end }}
