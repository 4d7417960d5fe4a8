{{/*
The routes of part=all. Under the deployer they are its own, with two slots behind them; it takes these over, so they
stay when this release turns into part=service, and are not written once the deployer has them.
*/}}
{{- define "platform.routes" -}}
{{- $route := lookup "gateway.networking.k8s.io/v1" "HTTPRoute" .Release.Namespace .Chart.Name }}
{{- if $route | dig "metadata" "annotations" "deployer/live" "" }}
{{- fail (printf "the deployer moves the traffic of %s in %s: deployer rollout %s, or --set part=service for what is around its slots" .Chart.Name .Release.Namespace .Chart.Name) }}
{{- end }}
{{ include "platform.route" (dict "top" . "name" .Chart.Name "gateway" .Values.gateway.public "hidden" .Values.internalPaths) }}
---
{{ include "platform.route" (dict "top" . "name" (printf "%s-internal" .Chart.Name) "gateway" .Values.gateway.internal "hidden" list) }}
{{- end }}

{{/* /<service>/api goes to the service's /api. A hidden path is longer than that, so it wins, and leads where nothing is. */}}
{{- define "platform.route" -}}
{{- $service := .top.Chart.Name }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ .name }}
  labels:
    {{- include "platform.labels" .top | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  parentRefs:
    - name: {{ .gateway }}
      namespace: {{ .top.Values.gateway.namespace }}
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: /{{ $service }}/api
      filters:
        - type: URLRewrite
          urlRewrite:
            path:
              type: ReplacePrefixMatch
              replacePrefixMatch: /api
        {{- if ne .name (printf "%s-internal" $service) }}
        # How long a caller waits is not said from outside (platform_kit.deadline).
        - type: RequestHeaderModifier
          requestHeaderModifier:
            remove: [X-Request-Timeout-Ms]
        {{- end }}
      backendRefs:
        - name: {{ include "platform.name" .top }}
          port: 80
    {{- with .hidden }}
    - matches:
        {{- range . }}
        - path:
            type: PathPrefix
            value: /{{ $service }}{{ . }}
        {{- end }}
      filters:
        - type: URLRewrite
          urlRewrite:
            path:
              type: ReplaceFullPath
              replaceFullPath: /not-found
      backendRefs:
        - name: {{ include "platform.name" $.top }}
          port: 80
    {{- end }}
{{- end }}
