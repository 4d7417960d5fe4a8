{{- define "platform.deployment" -}}
{{- /* Not as kubeVersion of the chart: what needs no cluster, as a migration, is rendered by any Helm. */}}
{{- if semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "Kubernetes %s has no sleep for preStop, without which requests are lost: 1.30 or later is needed" .Capabilities.KubeVersion.Version) }}
{{- end }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "platform.name" . }}
  labels:
    {{- include "platform.labels" . | nindent 4 }}
  {{- with .Values.record }}
  annotations:
    deployer/record: {{ . | quote }}
  {{- end }}
spec:
  {{- if and (eq .Values.part "all") (not .Values.autoscaling.enabled) }}
  replicas: {{ .Values.instances }}
  {{- end }}
  revisionHistoryLimit: 2
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "platform.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "platform.labels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ .Chart.Name }}
      automountServiceAccountToken: false
      # Else Kubernetes sets ORDER_PORT=tcp://... and its like beside the service's own variables.
      enableServiceLinks: false
      # The sleep of preStop and the drain, then 2 s of gunicorn's, and as much again.
      terminationGracePeriodSeconds: {{ add .Values.settleSeconds (ceil .Values.drainSeconds) 4 }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "platform.selector" $ | nindent 14 }}
        {{- end }}
      securityContext:
        {{- include "platform.security.pod" . | nindent 8 }}
      containers:
        - name: {{ .Chart.Name }}
          image: {{ include "platform.image" . }}
          imagePullPolicy: IfNotPresent
          envFrom:
            - configMapRef:
                name: {{ include "platform.configmap.name" . }}
          env:
            {{- include "platform.database.variable" . | nindent 12 }}
          ports:
            - name: http
              containerPort: 8000
            - name: admin
              containerPort: 9000
          {{- if .Values.settleSeconds }}
          # Routers learn that the pod is leaving while it still serves. Natively: the image needs no `sleep` for it.
          lifecycle:
            preStop:
              sleep:
                seconds: {{ .Values.settleSeconds }}
          {{- end }}
          securityContext:
            {{- include "platform.security.container" . | nindent 12 }}
          {{- include "platform.probes" . | nindent 10 }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          volumeMounts:
            {{- include "platform.database.mount" . | nindent 12 }}
            {{- include "platform.flags.mount" . | nindent 12 }}
            {{- if .Values.reload }}
            - name: reload
              mountPath: /reload
            {{- end }}
      volumes:
        {{- include "platform.database.volume" . | nindent 8 }}
        {{- include "platform.flags.volume" . | nindent 8 }}
        {{- if .Values.reload }}
        - name: reload
          emptyDir:
            sizeLimit: 16Mi
        {{- end }}
{{- end }}

{{/*
/health is false only when requests wait and none has finished for a minute: never because of a dependency, and not in a
drain, during which it goes on answering. /ready turns false the moment a drain begins. Both come from memory, at once.
With reload a file with half a line in it must not restart the container.
*/}}
{{- define "platform.probes" -}}
{{- if not .Values.reload -}}
startupProbe:
  httpGet:
    path: /health
    port: admin
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /health
    port: admin
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{ end -}}
readinessProbe:
  httpGet:
    path: /ready
    port: admin
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}
