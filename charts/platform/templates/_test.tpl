{{/* helm test: the Service answers as this service in this version. The image has Python, and nothing else is needed. */}}
{{- define "platform.test" -}}
{{- if has .Values.part (list "all" "slot") }}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "platform.name" . }}-test
  labels:
    app.kubernetes.io/name: {{ .Chart.Name }}-test
    app.kubernetes.io/instance: {{ .Release.Name }}
    app.kubernetes.io/part-of: platform
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "platform.security.pod" . | nindent 4 }}
  containers:
    - name: test
      image: {{ include "platform.image" . }}
      imagePullPolicy: IfNotPresent
      command:
        - python
        - -c
        - |
          import json, sys, urllib.request
          url, service, version = sys.argv[1:]
          answer = json.load(urllib.request.urlopen(url, timeout=5))
          print(json.dumps(answer))
          assert (answer["service"], answer["version"]) == (service, version), f"wanted {service} {version}"
        - http://{{ include "platform.name" . }}/api
        - {{ .Chart.Name }}
        - {{ include "platform.version" . | quote }}
      securityContext:
        {{- include "platform.security.container" . | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
{{- end }}
{{- end }}
