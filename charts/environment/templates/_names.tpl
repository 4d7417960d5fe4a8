{{/* The labels of everything that an environment has beside its services. */}}
{{- define "environment.labels" -}}
app.kubernetes.io/name: environment
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: platform
app.kubernetes.io/managed-by: {{ .Release.Service }}
deployer/environment: {{ .Values.environment }}
{{- end -}}

{{/* Who moves a service's traffic: its own pipeline, and the watcher when that one has died. */}}
{{- define "environment.watcher" -}}
- kind: ServiceAccount
  name: deployer
  namespace: {{ .Values.platformNamespace }}
{{- end -}}
