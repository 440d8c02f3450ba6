{{/* The APIs as a cortex.yaml, for the programs that read one. */}}

{{/* A probe in Cortex's spelling, as JSON. Argument: a Kubernetes probe. */}}
{{- define "dequeuer.cortexProbe" -}}
{{- $probe := dict -}}
{{- range $key, $name := dict "initialDelaySeconds" "initial_delay_seconds" "timeoutSeconds" "timeout_seconds" "periodSeconds" "period_seconds" "successThreshold" "success_threshold" "failureThreshold" "failure_threshold" -}}
{{- if hasKey $ $key -}}{{- $_ := set $probe $name (index $ $key) -}}{{- end -}}
{{- end -}}
{{- with .httpGet -}}{{- $_ := set $probe "http_get" (dict "path" (default "/" .path) "port" .port) -}}{{- end -}}
{{- with .tcpSocket -}}{{- $_ := set $probe "tcp_socket" (dict "port" .port) -}}{{- end -}}
{{- with .exec -}}{{- $_ := set $probe "exec" (dict "command" .command) -}}{{- end -}}
{{- toJson $probe -}}
{{- end -}}

{{/* A container, as JSON. Argument: container, probes, runs (whether the reader starts the container). */}}
{{- define "dequeuer.cortexContainer" -}}
{{- $container := dict "name" .container.name "image" .container.image "command" (default list .container.command) -}}
{{- with .container.args -}}{{- $_ := set $container "args" . -}}{{- end -}}
{{- if .runs -}}
{{- $environment := dict -}}
{{- range .container.env -}}{{- if not .valueFrom -}}{{- $_ := set $environment .name (default "" .value) -}}{{- end -}}{{- end -}}
{{- $_ := set $container "env" $environment -}}
{{- with index .probes .container.name -}}{{- $_ := set $container "readiness_probe" (include "dequeuer.cortexProbe" . | fromJson) -}}{{- end -}}
{{- $compute := dict "cpu" nil -}}
{{- with dig "resources" "requests" "cpu" "" .container -}}{{- $_ := set $compute "cpu" . -}}{{- end -}}
{{- with dig "resources" "requests" "memory" "" .container -}}{{- $_ := set $compute "mem" . -}}{{- end -}}
{{- $_ := set $container "compute" $compute -}}
{{- end -}}
{{- toJson $container -}}
{{- end -}}

{{/* The file. Argument: root, kinds, runs. */}}
{{- define "dequeuer.cortexYaml" -}}
{{- $apis := list -}}
{{- range $name, $_ := .root.Values.apis -}}
{{- $api := include "dequeuer.api" (dict "root" $.root "name" $name) | fromJson -}}
{{- if has $api.kind $.kinds -}}
{{- $probes := include "dequeuer.probes" $api | fromJson -}}
{{- $containers := list -}}
{{- range $api.containers -}}
{{- $containers = append $containers (include "dequeuer.cortexContainer" (dict "container" . "probes" $probes "runs" $.runs) | fromJson) -}}
{{- end -}}
{{- $pod := dict "port" ($api.port | int64) "containers" $containers -}}
{{- if eq $api.kind "RealtimeAPI" -}}
{{- if not (hasPrefix "auto" (toString $api.concurrency)) -}}{{- $_ := set $pod "max_concurrency" ($api.concurrency | int64) -}}{{- end -}}
{{- $_ := set $pod "max_queue_length" ($api.queueLength | int64) -}}
{{- end -}}
{{- $endpoint := include "dequeuer.endpoint" (dict "name" $name "api" $api) -}}
{{- $apis = append $apis (dict "name" $name "kind" $api.kind "networking" (dict "endpoint" $endpoint) "pod" $pod) -}}
{{- end -}}
{{- end -}}
{{- if has "TrafficSplitter" .kinds -}}
{{- range $name, $splitter := .root.Values.trafficSplitters -}}
{{- $parts := list -}}
{{- range $splitter.apis -}}
{{- $parts = append $parts (dict "name" .name "weight" (.weight | int64) "shadow" (default false .shadow)) -}}
{{- end -}}
{{- $endpoint := include "dequeuer.endpoint" (dict "name" $name "api" $splitter) -}}
{{- $apis = append $apis (dict "name" $name "kind" "TrafficSplitter" "networking" (dict "endpoint" $endpoint) "apis" $parts) -}}
{{- end -}}
{{- end -}}
{{- if $apis -}}{{- toYaml $apis -}}{{- end -}}
{{- end -}}
