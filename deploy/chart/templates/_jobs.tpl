{{/* What the Jobs of a BatchAPI have in common. */}}

{{/* Labels of the objects of one job, as Cortex has them. Argument: root, name, api, part. */}}
{{- define "dequeuer.jobLabels" -}}
{{ include "dequeuer.apiLabels" . }}
jobID: __JOB_ID__
cortex.dev/batch: {{ .part }}
{{- end -}}

{{- define "dequeuer.jobLimits" -}}
backoffLimit: {{ .Values.jobs.backoffLimit | int64 }}
ttlSecondsAfterFinished: {{ .Values.jobs.ttlSecondsAfterFinished | int64 }}
{{- end -}}
