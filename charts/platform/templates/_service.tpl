{{/* Without rights and without a token: no instance talks to the API server. */}}
{{- define "platform.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "platform.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}

{{/*
The edges that there are. Services call each other through the internal Gateway, so requests come from Gateways only,
and only a service with needs has a way to one. Kubelets' probes come from the node, which every network lets in.
*/}}
{{- define "platform.networkpolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "platform.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .Chart.Name }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        {{- include "platform.gateway.peers" . | nindent 8 }}
        # helm test
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {{ .Chart.Name }}-test
      ports:
        - port: http
    # Metrics are read by what runs in the platform's namespace: Prometheus, the deployer's watcher.
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .Values.platformNamespace }}
      ports:
        - port: admin
  egress:
    # DNS, also where every node has a cache of its own at this address.
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
        - ipBlock:
            cidr: 169.254.20.10/32
      ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    # PostgreSQL
    - to:
        {{- if .Values.database.cidrs }}
        {{- include "platform.cidrs" .Values.database.cidrs | nindent 8 }}
        {{- else }}
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .Values.database.namespace | default .Values.platformNamespace }}
        {{- if eq .Values.part "all" }}
        # A developer's own, in this namespace.
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: postgresql
        {{- end }}
        {{- end }}
      ports:
        - port: {{ .Values.database.port }}
    {{- with .Values.needs }}
    # {{ join ", " . }}: through the internal Gateway
    - to:
        {{- include "platform.gateway.peers" $ | nindent 8 }}
      ports:
        - port: {{ $.Values.gateway.internalPort }}
    {{- end }}
{{- end }}

{{/* What is the Gateway depends on its controller: pods in a namespace, or addresses outside the cluster. */}}
{{- define "platform.gateway.peers" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .Values.gateway.controllerNamespace | default .Values.gateway.namespace }}
{{- with .Values.gateway.cidrs }}
{{ include "platform.cidrs" . }}
{{- end }}
{{- end }}

{{- define "platform.cidrs" -}}
{{- range . }}
- ipBlock:
    cidr: {{ . }}
{{- end }}
{{- end }}
