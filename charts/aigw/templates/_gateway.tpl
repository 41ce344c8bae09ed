{{- /* The GatewayClass and, by value, a Gateway. They are kept when the release goes: data planes go on serving. */ -}}
{{- define "aigw.gatewayobjects" -}}
{{- if .Values.gatewayClass.create }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: {{ .Values.gatewayClass.name }}
  labels: {{- include "aigw.origin" . | nindent 4 }}
  annotations: {{- include "aigw.kept" . | nindent 4 }}
spec:
  controllerName: aigateway.envoyproxy.io/aigw
{{- end }}
{{- with .Values.gateway }}
{{- if .create }}
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: GatewayConfig
metadata:
  name: {{ .name }}
  namespace: {{ default $.Release.Namespace .namespace }}
  labels: {{- include "aigw.origin" $ | nindent 4 }}
  annotations: {{- include "aigw.kept" $ | nindent 4 }}
spec:
  dataPlane: {{ .dataPlane }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {{ .name }}
  namespace: {{ default $.Release.Namespace .namespace }}
  labels: {{- include "aigw.origin" $ | nindent 4 }}
  annotations:
    {{- include "aigw.kept" $ | nindent 4 }}
    aigateway.envoyproxy.io/gateway-config: {{ .name }}
spec:
  gatewayClassName: {{ $.Values.gatewayClass.name }}
  listeners:
    - name: http
      protocol: HTTP
      port: {{ .port }}
      allowedRoutes: {namespaces: {from: {{ .routesFrom }}}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "aigw.kept" -}}
helm.sh/resource-policy: keep
meta.helm.sh/release-name: {{ .Release.Name }}
meta.helm.sh/release-namespace: {{ .Release.Namespace }}
{{- end -}}
