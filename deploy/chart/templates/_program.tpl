{{/* A program of ours that is no part of an API's pod: gateway, webhooks, page, controller. */}}

{{/* Its service account and disruption budget. Argument: root, part, values. */}}
{{- define "dequeuer.programObjects" -}}
{{- $name := include "dequeuer.name" . -}}
{{- $common := dict "root" .root "name" $name "labels" (include "dequeuer.programLabels" .) "selector" (include "dequeuer.programSelector" .) -}}
{{ include "dequeuer.serviceAccount" (merge (dict "account" .values.serviceAccount) $common) }}
{{- with .values.podDisruptionBudget }}
{{ include "dequeuer.disruptionBudget" (merge (dict "budget" .) $common) }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of its pods. Argument: root, part, values, checksum. */}}
{{- define "dequeuer.programPodMetadata" -}}
labels:
  {{- include "dequeuer.programSelector" . | nindent 2 }}
  app.kubernetes.io/component: {{ .part }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- with .checksum }}
  dequeuer/apis-checksum: {{ . }}
  {{- end }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The beginning of its pod. Argument: root, part, values. */}}
{{- define "dequeuer.programPod" -}}
serviceAccountName: {{ include "dequeuer.serviceAccountName" (dict "account" .values.serviceAccount "fallback" (include "dequeuer.name" .)) }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "dequeuer.scheduling" .values }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "dequeuer.programSelector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "dequeuer.programSelector" . | nindent 8 }}
{{- end -}}
