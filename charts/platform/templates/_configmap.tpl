{{/* All that an instance is told, frozen with the release; a secret is never in it. */}}
{{- define "platform.environment" -}}
PLATFORM_HOST: 0.0.0.0
PLATFORM_PORT: "8000"
PLATFORM_ADMIN_PORT: "9000"
PLATFORM_SLOT: {{ .Values.slot }}
PLATFORM_VERSION: {{ include "platform.version" . | quote }}
PLATFORM_THREADS: {{ .Values.threads | toString | quote }}
PLATFORM_MEMORY_LIMIT_MB: {{ include "platform.mebibytes" .Values.resources.limits.memory | quote }}
PLATFORM_CPU_LIMIT: {{ include "platform.cores" .Values.resources.limits.cpu | quote }}
PLATFORM_DRAIN_SECONDS: {{ .Values.drainSeconds | toString | quote }}
PLATFORM_QUIET_SECONDS: {{ .Values.quietSeconds | toString | quote }}
PLATFORM_FAULTS_ALLOWED: {{ .Values.faultsAllowed | toString | quote }}
{{- if .Values.reload }}
PLATFORM_RELOAD: "true"
PLATFORM_RELOAD_FOLDER: /reload
{{- end }}
PLATFORM_FLAGS_FILE: /run/flags/flags.json
{{ include "platform.prefix" . }}_DATABASE_URL_FILE: /run/secrets/database/url
{{ include "platform.prefix" . }}_ROUTER_URL: {{ .Values.routerUrl | quote }}
# glibc keeps an arena a thread otherwise, and freed blocks of up to 32 MB.
MALLOC_ARENA_MAX: "2"
MALLOC_MMAP_THRESHOLD_: "1048576"
{{- end }}

{{/* What the service is told beside that goes above it. */}}
{{- define "platform.configuration" -}}
{{ mergeOverwrite (include "platform.environment" . | fromYaml) .Values.configuration | toYaml }}
{{- end }}

{{/* Immutable, so another content needs another name: a pod never starts with the configuration of another release. */}}
{{- define "platform.configmap.name" -}}
{{ include "platform.name" . }}-{{ include "platform.configuration" . | sha256sum | trunc 8 }}
{{- end }}

{{- define "platform.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "platform.configmap.name" . }}
  labels:
    {{- include "platform.labels" . | nindent 4 }}
immutable: true
data:
  {{- include "platform.configuration" . | nindent 2 }}
{{- end }}
