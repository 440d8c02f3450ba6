{{/* How many pods an API has. */}}

{{/* Requests in flight that a pod should have. Argument: api. */}}
{{- define "dequeuer.targetInFlight" -}}
{{- $most := .concurrency -}}
{{- if include "dequeuer.isJob" . -}}
{{- /* A pod that ends after fewer messages than it could work on would leave the others to the next look at the queue. */ -}}
{{- $most = min (.concurrency | int64) (.scaledJob.maxMessages | int64) -}}
{{- end -}}
{{ default $most .autoscaling.targetInFlight }}
{{- end -}}

{{/* `behavior` of a HorizontalPodAutoscaler. Argument: autoscaling. */}}
{{- define "dequeuer.behavior" -}}
scaleDown:
  stabilizationWindowSeconds: {{ .downscaleStabilization | int64 }}
  selectPolicy: Max
  policies:
    - type: Percent
      value: {{ round (subf 1.0 .maxDownscaleFactor | mulf 100.0) 0 | int64 | max 1 }}
      periodSeconds: {{ .downscalePeriod | int64 }}
    - type: Pods
      value: {{ .downscalePods | int64 }}
      periodSeconds: {{ .downscalePeriod | int64 }}
  {{- if not (kindIs "invalid" .downscaleTolerance) }}
  tolerance: {{ .downscaleTolerance | toJson }}
  {{- end }}
scaleUp:
  stabilizationWindowSeconds: {{ .upscaleStabilization | int64 }}
  selectPolicy: Max
  policies:
    - type: Percent
      value: {{ round (subf .maxUpscaleFactor 1.0 | mulf 100.0) 0 | int64 | max 1 }}
      periodSeconds: {{ .upscalePeriod | int64 }}
    - type: Pods
      value: {{ .upscalePods | int64 }}
      periodSeconds: {{ .upscalePeriod | int64 }}
  {{- if not (kindIs "invalid" .upscaleTolerance) }}
  tolerance: {{ .upscaleTolerance | toJson }}
  {{- end }}
{{- end -}}

{{/* Requests in flight of a RealtimeAPI, averaged as Cortex's autoscaler does. Argument: name, api. */}}
{{- define "dequeuer.inFlightQuery" -}}
{{- $selector := printf "cortex_in_flight_requests{api_name=%q}[%ds]" .name (.api.autoscaling.window | int64) -}}
{{ printf "sum(sum_over_time(%s)) / max(count_over_time(%s))" $selector $selector }}
{{- end -}}

{{/* Name of the TriggerAuthentication, or nothing. */}}
{{- define "dequeuer.triggerAuthentication" -}}
{{- $identity := .Values.keda.podIdentity -}}
{{- if $identity.name -}}
{{ $identity.name }}
{{- else if $identity.create -}}
{{ include "dequeuer.name" (dict "root" . "part" "aws") }}
{{- end -}}
{{- end -}}

{{/* The trigger of an API. Argument: root, name, api. */}}
{{- define "dequeuer.trigger" -}}
{{- if eq .api.kind "AsyncAPI" -}}
type: aws-sqs-queue
metadata:
  queueURL: {{ .api.queueUrl | toJson }}
  queueLength: {{ include "dequeuer.targetInFlight" .api | toJson }}
  # What a pod works at counts, too: a scaler that did not see it would take busy pods away.
  scaleOnInFlight: "true"
  awsRegion: {{ .root.Values.region | toJson }}
metricType: AverageValue
{{- with include "dequeuer.triggerAuthentication" .root }}
authenticationRef:
  name: {{ . | toJson }}
{{- end }}
{{- else -}}
type: prometheus
metadata:
  serverAddress: {{ .root.Values.keda.prometheusAddress | toJson }}
  query: {{ include "dequeuer.inFlightQuery" . | toJson }}
  threshold: {{ include "dequeuer.targetInFlight" .api | toJson }}
  # No sample is no reason to take pods away.
  ignoreNullValues: "false"
metricType: AverageValue
{{- end -}}
{{- end -}}
