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

{{/* When the pod of a Job that works off a queue counts as failed. */}}
{{- define "dequeuer.podFailurePolicy" -}}
podFailurePolicy:
  rules:
    # A drained or reclaimed node is not a failure of the job.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
    # Status 2 is a bad configuration: another pod would fail in the same way.
    - action: FailJob
      onExitCodes:
        containerName: dequeuer
        operator: In
        values: [2]
    - action: Count
      onExitCodes:
        containerName: dequeuer
        operator: NotIn
        values: [0, 2]
{{- end -}}
