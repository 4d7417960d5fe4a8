{{- define "deployer.selector" -}}
app.kubernetes.io/name: deployer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "deployer.labels" -}}
{{ include "deployer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: platform
app.kubernetes.io/managed-by: {{ .Release.Service }}
deployer/environment: {{ .Values.environment }}
{{- end -}}
