{{/* Objects that APIs and programs of the chart have alike. */}}

{{/* Argument: root, name, labels, account. */}}
{{- define "dequeuer.serviceAccount" -}}
{{- if .account.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ default .name .account.name | toJson }}
  namespace: {{ .root.Release.Namespace | toJson }}
  labels:
    {{- .labels | nindent 4 }}
  {{- with .account.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Argument: root, name, labels, selector, budget. */}}
{{- define "dequeuer.disruptionBudget" -}}
{{- if .budget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | toJson }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  maxUnavailable: {{ .budget.maxUnavailable | toJson }}
  # A pod that is not ready keeps no node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- .selector | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Argument: root, name, labels, selector, policy, ports (of requests). */}}
{{- define "dequeuer.networkPolicy" -}}
{{- if .policy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | toJson }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- .selector | nindent 6 }}
  policyTypes: [Ingress]
  {{- if or .ports .policy.metricsFrom }}
  ingress:
    {{- with .ports }}
    - ports:
        {{- range . }}
        - port: {{ . }}
          protocol: TCP
        {{- end }}
      {{- with $.policy.requestsFrom }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- with .policy.metricsFrom }}
    - ports:
        - port: 15000
          protocol: TCP
      from:
        {{- toYaml . | nindent 8 }}
    {{- end }}
  {{- else }}
  ingress: []
  {{- end }}
{{- end }}
{{- end -}}

{{/* Head of an HTTPRoute, up to its rules. Argument: root, name, labels, route. */}}
{{- define "dequeuer.httpRouteHead" -}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | toJson }}
  labels:
    {{- .labels | nindent 4 }}
  {{- with .route.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    {{- toYaml .route.parentRefs | nindent 4 }}
  {{- with .route.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Argument: root, name, labels, ingress, service, port. */}}
{{- define "dequeuer.ingress" -}}
{{- if .ingress.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | toJson }}
  labels:
    {{- .labels | nindent 4 }}
  {{- with .ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .ingress.className }}
  ingressClassName: {{ . | toJson }}
  {{- end }}
  {{- with .ingress.tlsSecret }}
  tls:
    - hosts:
        - {{ $.ingress.host | toJson }}
      secretName: {{ . | toJson }}
  {{- end }}
  rules:
    - host: {{ .ingress.host | toJson }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ .service }}
                port:
                  number: {{ .port }}
{{- end }}
{{- end -}}
