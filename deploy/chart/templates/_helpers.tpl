{{/* Names, labels and values that all templates share. */}}

{{/* The values of one API, its own above the defaults, as JSON. Argument: root, name. */}}
{{- define "dequeuer.api" -}}
{{- mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy (index .root.Values.apis .name)) | toJson -}}
{{- end -}}

{{- define "dequeuer.chart" -}}
{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels of all objects. They are not labels of pods: a new version of the chart alone replaces no pod. */}}
{{- define "dequeuer.commonLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name | toJson }}
app.kubernetes.io/managed-by: {{ .Release.Service | toJson }}
app.kubernetes.io/part-of: dequeuer
helm.sh/chart: {{ include "dequeuer.chart" . | toJson }}
{{- end -}}

{{/* Labels by which objects find the pods of an API. Argument: root, name. */}}
{{- define "dequeuer.apiSelector" -}}
apiName: {{ .name | toJson }}
app.kubernetes.io/instance: {{ .root.Release.Name | toJson }}
{{- end -}}

{{/* Labels of the pods of an API; those of Cortex that are known before a deployment. Argument: root, name, api. */}}
{{- define "dequeuer.apiPodLabels" -}}
{{ include "dequeuer.apiSelector" . }}
apiKind: {{ .api.kind | toJson }}
cortex.dev/api: "true"
app.kubernetes.io/name: {{ .name | toJson }}
app.kubernetes.io/component: {{ .api.kind | lower | toJson }}
{{- with .api.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the objects of an API. Argument: root, name, api. */}}
{{- define "dequeuer.apiLabels" -}}
{{ include "dequeuer.commonLabels" .root }}
apiName: {{ .name | toJson }}
apiKind: {{ .api.kind | toJson }}
cortex.dev/api: "true"
app.kubernetes.io/name: {{ .name | toJson }}
{{- end -}}

{{/* Name of an object of the release. Argument: root, part. */}}
{{- define "dequeuer.name" -}}
{{ printf "%s-%s" (.root.Release.Name | trunc 40 | trimSuffix "-") .part }}
{{- end -}}

{{/* Labels by which objects find the pods of a program of the release. Argument: root, part. */}}
{{- define "dequeuer.programSelector" -}}
app.kubernetes.io/name: {{ printf "dequeuer-%s" .part | toJson }}
app.kubernetes.io/instance: {{ .root.Release.Name | toJson }}
{{- end -}}

{{- define "dequeuer.programLabels" -}}
{{ include "dequeuer.commonLabels" .root }}
app.kubernetes.io/name: {{ printf "dequeuer-%s" .part | toJson }}
{{- end -}}

{{- define "dequeuer.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $image.repository $image.digest | toJson }}
{{- else -}}
{{ printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) | toJson }}
{{- end -}}
{{- end -}}

{{/* Name of a service account. Argument: account, fallback. */}}
{{- define "dequeuer.serviceAccountName" -}}
{{ default (ternary .fallback "default" .account.create) .account.name | toJson }}
{{- end -}}

{{/* `true` where the pods of an API end by themselves, else nothing. Argument: api. */}}
{{- define "dequeuer.isJob" -}}
{{- if or (eq .kind "BatchAPI") (and (eq .kind "AsyncAPI") (eq .workload "ScaledJob")) -}}true{{- end -}}
{{- end -}}

{{/* `true` where pods write their deletion cost, which only a Deployment looks at, else nothing. Argument: api. */}}
{{- define "dequeuer.sparesBusyPods" -}}
{{- if and .sparesBusyPods (not (include "dequeuer.isJob" .)) -}}true{{- end -}}
{{- end -}}

{{/* Path of an API at the gateway, with a slash in front. Argument: name, api. */}}
{{- define "dequeuer.endpoint" -}}
/{{ default .name .api.endpoint | trimPrefix "/" }}
{{- end -}}

{{/* terminationGracePeriodSeconds: the drain, the end of the containers after it, and 5 s for the process itself. */}}
{{- define "dequeuer.grace" -}}
{{- $delay := ternary .shutdownDelay 0 (eq .kind "RealtimeAPI") -}}
{{ add (addf .shutdownGrace $delay | ceil | int64) (.stopSeconds | int64) 5 }}
{{- end -}}

{{/* What every container of ours may do: nothing. */}}
{{- define "dequeuer.restricted" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What the kubelet asks on the admin port. No startupProbe: readiness needs the containers, which may start later. */}}
{{- define "dequeuer.kubeletProbes" -}}
livenessProbe:
  httpGet:
    path: /livez
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /healthz
    port: metrics
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* Where pods may run. Argument: the values of an API or program. */}}
{{- define "dequeuer.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | toJson }}
{{- end }}
{{- end -}}

{{/* Annotations that Cortex has on its Deployments. Argument: root, name, api. */}}
{{- define "dequeuer.cortexAnnotations" -}}
networking.cortex.dev/endpoint: {{ include "dequeuer.endpoint" . | toJson }}
pod.cortex.dev/max-concurrency: {{ .api.concurrency | toString | toJson }}
{{- if eq .api.kind "RealtimeAPI" }}
pod.cortex.dev/max-queue-length: {{ .api.queueLength | int64 | toString | toJson }}
{{- end }}
{{- end -}}

{{/* Where clients of Cortex find the operator, quoted. */}}
{{- define "dequeuer.operatorUrl" -}}
{{- $gateway := include "dequeuer.name" (dict "root" . "part" "gateway") -}}
{{ default (printf "http://%s.%s.svc:8888" $gateway .Release.Namespace) .Values.operatorUrl | toJson }}
{{- end -}}
