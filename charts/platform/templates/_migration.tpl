{{/*
The same image, another program. It runs as the namespace's default account: as a hook it comes before the service's
own. Under the deployer each run is a Job of its own, and the deployer judges it; as a hook it takes the place of the
one before, and is tried again, as the database may be on its way up.
*/}}
{{- define "platform.migration" -}}
{{- $alone := eq .Values.part "migration" }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Chart.Name }}-migrate-{{ .Values.phase }}{{ with .Values.release }}-{{ . }}{{ end }}
  labels:
    {{- include "platform.migration.labels" . | nindent 4 }}
  {{- if not $alone }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
  {{- end }}
spec:
  backoffLimit: {{ ternary 0 .Values.migration.retries $alone }}
  activeDeadlineSeconds: {{ .Values.migration.deadlineSeconds }}
  {{- if $alone }}
  ttlSecondsAfterFinished: 86400
  {{- end }}
  template:
    metadata:
      labels:
        {{- include "platform.migration.labels" . | nindent 8 }}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "platform.security.pod" . | nindent 8 }}
      containers:
        - name: migrate
          image: {{ include "platform.image" . }}
          imagePullPolicy: IfNotPresent
          command: [python, -m, platform_kit.migrations, {{ .Chart.Name }}, --phase, {{ .Values.phase }}]
          env:
            - name: {{ include "platform.prefix" . }}_DATABASE_URL_FILE
              value: /run/secrets/database/url
            {{- include "platform.database.variable" . | nindent 12 }}
          securityContext:
            {{- include "platform.security.container" . | nindent 12 }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          volumeMounts:
            {{- include "platform.database.mount" . | nindent 12 }}
      volumes:
        {{- include "platform.database.volume" . | nindent 8 }}
{{- end }}

{{- define "platform.migration.labels" -}}
{{ include "platform.labels.common" . }}
app.kubernetes.io/component: migration
{{- end }}
