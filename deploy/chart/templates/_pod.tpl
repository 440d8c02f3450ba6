{{/* The pod of an API, of any kind: the one place that decides the order of its containers. */}}

{{/* Probes of the containers, container name -> probe, as JSON. The dequeuer knows no names of ports: they become
numbers. Argument: api. */}}
{{- define "dequeuer.probes" -}}
{{- $probes := dict -}}
{{- range $container := .containers -}}
{{- if $container.readinessProbe -}}
{{- $probe := deepCopy $container.readinessProbe -}}
{{- range $way := list "httpGet" "tcpSocket" -}}
{{- $action := index $probe $way -}}
{{- if $action -}}
{{- if kindIs "string" $action.port -}}
{{- if not (regexMatch "^[0-9]+$" $action.port) -}}
{{- range $port := $container.ports -}}
{{- if eq ($port.name | toString) $action.port -}}
{{- $_ := set $action "port" ($port.containerPort | int64) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $probes $container.name $probe -}}
{{- end -}}
{{- end -}}
{{- toJson $probes -}}
{{- end -}}

{{/* The dequeuer or proxy. Argument: root, name, api. */}}
{{- define "dequeuer.sidecar" -}}
{{- $realtime := eq .api.kind "RealtimeAPI" -}}
name: {{ ternary "proxy" "dequeuer" $realtime }}
image: {{ include "dequeuer.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- if $realtime }}
args: [proxy]
{{- end }}
env:
  {{- include "dequeuer.sidecarEnv" . | nindent 2 }}
ports:
  {{- if $realtime }}
  - name: proxy
    containerPort: 8888
  {{- end }}
  - name: metrics
    containerPort: 15000
{{ include "dequeuer.kubeletProbes" . }}
{{- with .api.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "dequeuer.restricted" . | nindent 2 }}
volumeMounts:
  - name: spec
    mountPath: /cortex/spec
    readOnly: true
  - name: mnt
    mountPath: /mnt
  {{- with .api.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* One container of the user, as JSON. Argument: root, api, container. */}}
{{- define "dequeuer.container" -}}
{{- $container := deepCopy .container -}}
{{- $_ := set $container "env" (include "dequeuer.containerEnv" . | fromYamlArray) -}}
{{- $mounts := list
  (dict "name" "spec" "mountPath" "/cortex/spec" "readOnly" true)
  (dict "name" "mnt" "mountPath" "/mnt")
  (dict "name" "client-config" "mountPath" "/cortex/client/cli.yaml" "subPath" "cli.yaml" "readOnly" true) -}}
{{- if .api.shm -}}
{{- $mounts = append $mounts (dict "name" "shm" "mountPath" "/dev/shm") -}}
{{- end -}}
{{- $_ := set $container "volumeMounts" (concat $mounts (default list .container.volumeMounts)) -}}
{{- if and (not (hasKey $container "securityContext")) .api.containerSecurityContext -}}
{{- $_ := set $container "securityContext" .api.containerSecurityContext -}}
{{- end -}}
{{- if ne .api.kind "RealtimeAPI" -}}
{{- $_ := unset $container "readinessProbe" -}}
{{- end -}}
{{- if eq .api.form "native" -}}
{{- $_ := set $container "restartPolicy" "Always" -}}
{{- else -}}
{{- $hook := dict "httpGet" (dict "path" "/wait-for-drain" "port" 15000) -}}
{{- range $which := list "livenessProbe" "startupProbe" -}}
{{- with index $container $which -}}
{{- /* The hook runs before such a restart, too, and waits for a drain that nobody has begun. */ -}}
{{- $_ := set $container $which (merge . (dict "terminationGracePeriodSeconds" 10)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $container "lifecycle" (merge (dict "preStop" $hook) (default dict $container.lifecycle)) -}}
{{- end -}}
{{- toJson $container -}}
{{- end -}}

{{/* Annotations of the pod; those of the user win. Argument: api. */}}
{{- define "dequeuer.podAnnotations" -}}
{{- $own := dict
  "dequeuer/spec-checksum" (include "dequeuer.probes" . | sha256sum)
  "kubectl.kubernetes.io/default-container" (first .containers).name -}}
{{- if include "dequeuer.isJob" . -}}
{{- $_ := set $own "cluster-autoscaler.kubernetes.io/safe-to-evict" "false" -}}
{{- end -}}
{{- toYaml (merge (deepCopy (default dict .podAnnotations)) $own) -}}
{{- end -}}

{{/* The template of the pod. Argument: root, name, api, spec (name of the ConfigMap with probes.json). */}}
{{- define "dequeuer.podTemplate" -}}
{{- $api := .api -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "dequeuer.apiPodLabels" . | nindent 4 }}
    {{- if eq $api.kind "BatchAPI" }}
    jobID: __JOB_ID__
    cortex.dev/batch: worker
    {{- end }}
  annotations:
    {{- include "dequeuer.podAnnotations" $api | nindent 4 }}
spec:
  serviceAccountName: {{ include "dequeuer.serviceAccountName" (dict "account" $api.serviceAccount "fallback" (printf "api-%s" .name)) }}
  {{- if include "dequeuer.sparesBusyPods" $api }}
  automountServiceAccountToken: true
  {{- end }}
  # A Service named `dequeuer` in this namespace would otherwise put DEQUEUER_* variables into every container.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "dequeuer.grace" $api }}
  {{- if include "dequeuer.isJob" $api }}
  restartPolicy: Never
  {{- end }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $api.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- include "dequeuer.scheduling" $api | nindent 2 }}
  {{- with $api.runtimeClassName }}
  runtimeClassName: {{ . | toJson }}
  {{- end }}
  {{- with $api.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "dequeuer.apiSelector" $ | fromYaml)) }}
    - {{- toYaml (merge (deepCopy .) $selector) | nindent 6 }}
    {{- end }}
  {{- end }}
  {{- $own := include "dequeuer.sidecar" . | fromYaml }}
  {{- $theirs := list }}
  {{- range $api.containers }}
  {{- $theirs = append $theirs (include "dequeuer.container" (dict "root" $root "api" $api "container" .) | fromJson) }}
  {{- end }}
  {{- if eq $api.form "native" }}
  # Native sidecars: they start before the main container, and are stopped after it has ended.
  initContainers:
    {{- toYaml $theirs | nindent 4 }}
  containers:
    {{- toYaml (list $own) | nindent 4 }}
  {{- else }}
  containers:
    {{- toYaml (prepend $theirs $own) | nindent 4 }}
  {{- end }}
  volumes:
    - name: spec
      configMap:
        name: {{ .spec | toJson }}
    - name: mnt
      emptyDir: {}
    - name: client-config
      configMap:
        name: {{ include "dequeuer.name" (dict "root" $root "part" "client-config") }}
    {{- with $api.shm }}
    - name: shm
      emptyDir:
        medium: Memory
        sizeLimit: {{ . | toString | toJson }}
    {{- end }}
    {{- with $api.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
