{{/* Variables of our programs. */}}

{{/* One variable. Argument: a list of its name and value; a number is written without an exponent. */}}
{{- define "dequeuer.variable" -}}
{{- $value := index . 1 -}}
- name: {{ index . 0 }}
  value: {{ (kindIs "string" $value) | ternary $value (toJson $value) | toJson }}
{{- end -}}

{{/* Of programs that use the bucket. Argument: root. */}}
{{- define "dequeuer.storeEnv" -}}
{{ include "dequeuer.variable" (list "DEQUEUER_CLUSTER_UID" .Values.clusterUid) }}
{{ include "dequeuer.variable" (list "DEQUEUER_BUCKET" .Values.bucket) }}
{{- end -}}

{{/* Of all programs. Argument: root. */}}
{{- define "dequeuer.commonEnv" -}}
{{ include "dequeuer.variable" (list "CORTEX_VERSION" .Values.cortexVersion) }}
{{ include "dequeuer.variable" (list "DEQUEUER_LOG_LEVEL" .Values.logLevel) }}
{{- with .Values.region }}
{{ include "dequeuer.variable" (list "AWS_REGION" .) }}
{{- end }}
{{- end -}}

{{/* Of the dequeuer or proxy of an API. Argument: root, name, api. */}}
{{- define "dequeuer.sidecarEnv" -}}
{{- $api := .api -}}
{{- $values := .root.Values -}}
{{ include "dequeuer.variable" (list "DEQUEUER_API_KIND" $api.kind) }}
{{ include "dequeuer.variable" (list "DEQUEUER_API_NAME" .name) }}
{{ include "dequeuer.variable" (list "DEQUEUER_USER_PORT" $api.port) }}
{{ include "dequeuer.variable" (list "DEQUEUER_SHUTDOWN_GRACE" $api.shutdownGrace) }}
{{- if not (kindIs "invalid" $api.requestTimeout) }}
{{ include "dequeuer.variable" (list "DEQUEUER_REQUEST_TIMEOUT" $api.requestTimeout) }}
{{- end }}
{{- if eq $api.kind "RealtimeAPI" }}
{{ include "dequeuer.variable" (list "DEQUEUER_PROXY_PORT" 8888) }}
{{ include "dequeuer.variable" (list "DEQUEUER_MAX_CONCURRENCY" $api.concurrency) }}
{{ include "dequeuer.variable" (list "DEQUEUER_MAX_QUEUE_LENGTH" $api.queueLength) }}
{{ include "dequeuer.variable" (list "DEQUEUER_SHUTDOWN_DELAY" $api.shutdownDelay) }}
{{- else }}
{{ include "dequeuer.variable" (list "DEQUEUER_WORKERS" $api.concurrency) }}
{{ include "dequeuer.storeEnv" .root }}
{{- end }}
{{- if eq $api.kind "AsyncAPI" }}
{{ include "dequeuer.variable" (list "DEQUEUER_QUEUE_URL" $api.queueUrl) }}
{{ include "dequeuer.variable" (list "DEQUEUER_RESULT_RETENTION_DAYS" $values.resultRetentionDays) }}
{{ include "dequeuer.variable" (list "DEQUEUER_PAUSE_CHECK_INTERVAL" $values.pauseCheckInterval) }}
{{- with $values.webhooks.queueUrl }}
{{ include "dequeuer.variable" (list "DEQUEUER_WEBHOOK_QUEUE" .) }}
{{- end }}
{{- end }}
{{- if eq $api.kind "BatchAPI" }}
{{ include "dequeuer.variable" (list "DEQUEUER_JOB_ID" "__JOB_ID__") }}
{{ include "dequeuer.variable" (list "DEQUEUER_QUEUE_URL" "__QUEUE_URL__") }}
{{ include "dequeuer.variable" (list "DEQUEUER_OUTPUT" "__OUTPUT__") }}
{{ include "dequeuer.variable" (list "DEQUEUER_FAIL_WHEN_STOPPED" "true") }}
- name: DEQUEUER_WORKER_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- if and (eq $api.kind "AsyncAPI") (eq $api.workload "ScaledJob") }}
{{ include "dequeuer.variable" (list "DEQUEUER_MAX_MESSAGES" $api.scaledJob.maxMessages) }}
{{ include "dequeuer.variable" (list "DEQUEUER_EXIT_WHEN_IDLE" $api.scaledJob.exitWhenIdle) }}
{{- end }}
{{- if include "dequeuer.sparesBusyPods" $api }}
{{ include "dequeuer.variable" (list "DEQUEUER_POD_DELETION_COST" "true") }}
- name: DEQUEUER_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{ include "dequeuer.commonEnv" .root }}
{{- range $api.env }}
- {{ toJson . }}
{{- end }}
{{- end -}}

{{/* Of every container of the user. Argument: root, api, container. */}}
{{- define "dequeuer.containerEnv" -}}
{{ include "dequeuer.variable" (list "CORTEX_VERSION" .root.Values.cortexVersion) }}
{{ include "dequeuer.variable" (list "CORTEX_LOG_LEVEL" "INFO") }}
{{ include "dequeuer.variable" (list "CORTEX_CLI_CONFIG_DIR" "/cortex/client") }}
{{ include "dequeuer.variable" (list "CORTEX_PORT" .api.port) }}
{{- /* toYaml would take the line break at the end of the last value away. */}}
{{- range .container.env }}
- {{ toJson . }}
{{- end }}
{{- end -}}
