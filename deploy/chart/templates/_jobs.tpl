{{/* What the Jobs of BatchAPIs and ScaledJobs have in common. */}}

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

{{/* When the pod of a Job counts as failed. Argument: container (its main one), final (exit statuses that another pod
would have, too). */}}
{{- define "dequeuer.podFailurePolicy" -}}
podFailurePolicy:
  rules:
    # A drained or reclaimed node is not a failure of the job.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
    # Another pod would fail in the same way: with 2 for a bad configuration.
    - action: FailJob
      onExitCodes:
        containerName: {{ .container }}
        operator: In
        values: {{ .final | toJson }}
    - action: Count
      onExitCodes:
        containerName: {{ .container }}
        operator: NotIn
        values: {{ prepend .final 0 | toJson }}
{{- end -}}
