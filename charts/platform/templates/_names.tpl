{{/* The name of what this part makes: a slot's things carry the slot's name. */}}
{{- define "platform.name" -}}
{{- if eq .Values.part "slot" }}{{ .Chart.Name }}-{{ .Values.slot }}{{ else }}{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "platform.version" -}}
{{ .Values.version | default .Chart.AppVersion }}
{{- end }}

{{/* On everything that belongs to the service. */}}
{{- define "platform.labels.common" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/version: {{ include "platform.version" . | quote }}
app.kubernetes.io/part-of: platform
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "platform.labels" -}}
{{ include "platform.labels.common" . }}
app.kubernetes.io/component: server
{{- if eq .Values.part "slot" }}
deployer/slot: {{ .Values.slot }}
deployer/release: {{ required "part=slot needs release, the first 12 hex digits of the release's digest" .Values.release | quote }}
{{- end }}
{{- end }}

{{/* Which pods: with a slot never those of the release that was in it before. With part=all not the slots beside it. */}}
{{- define "platform.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
{{- if eq .Values.part "slot" }}
deployer/slot: {{ .Values.slot }}
deployer/release: {{ .Values.release | quote }}
{{- else }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}
{{- end }}

{{/* Prefix of the service's own environment variables. */}}
{{- define "platform.prefix" -}}
{{ .Chart.Name | upper | replace "-" "_" }}
{{- end }}

{{/* The image; an empty one is a mistake that a pod would only show much later. */}}
{{- define "platform.image" -}}
{{ required "image is empty: name the full reference, such as registry/product@sha256:..." .Values.image }}
{{- end }}

{{/* The database's URL is a file: the kubelet writes a rotated one into running pods, an environment variable stays. */}}
{{- define "platform.database.volume" -}}
- name: database
  secret:
    secretName: {{ .Values.database.secret | default (printf "%s-database" .Chart.Name) }}
    defaultMode: 0440
    items:
      - key: url
        path: url
{{- end }}

{{- define "platform.database.variable" -}}
- name: {{ include "platform.prefix" . }}_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.secret | default (printf "%s-database" .Chart.Name) }}
      key: url
{{- end }}

{{- define "platform.database.mount" -}}
- name: database
  mountPath: /run/secrets/database
  readOnly: true
{{- end }}

{{/*
Both slots' flags, in a ConfigMap that is not a release's: they change while releases stay. A folder, as the kubelet swaps
nothing below a subPath; and one that may be missing: then the flags are those of the image.
*/}}
{{- define "platform.flags.volume" -}}
- name: flags
  configMap:
    name: {{ .Chart.Name }}-flags
    optional: true
{{- end }}

{{- define "platform.flags.mount" -}}
- name: flags
  mountPath: /run/flags
  readOnly: true
{{- end }}

{{/* What the namespace's level `restricted` asks for, and the file's group. */}}
{{- define "platform.security.pod" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "platform.security.container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A quantity of memory in MiB, of CPU in cores. */}}
{{- define "platform.mebibytes" -}}
{{- if hasSuffix "Gi" . }}{{ mul 1024 (trimSuffix "Gi" . | int) }}{{ else }}{{ trimSuffix "Mi" . }}{{ end }}
{{- end }}

{{- define "platform.cores" -}}
{{- $cpu := toString . }}
{{- if hasSuffix "m" $cpu }}{{ divf (trimSuffix "m" $cpu | float64) 1000 }}{{ else }}{{ $cpu }}{{ end }}
{{- end }}
