{{/* What the schema of the values cannot say: rules between values. All faults are listed at once. */}}

{{/* Faults of the probes, ports, variables and volumes of one API, as a JSON array. Argument: name, api, own. */}}
{{- define "dequeuer.containerFaults" -}}
{{- $faults := list -}}
{{- $api := .api -}}
{{- $seen := dict -}}
{{- range $container := $api.containers -}}
{{- $place := printf "apis.%s.containers[%s]" $.name $container.name -}}
{{- if hasKey $seen $container.name -}}
{{- $faults = append $faults (printf "%s: two containers have this name; rename one" $place) -}}
{{- end -}}
{{- $_ := set $seen $container.name true -}}
{{- range $port := $container.ports -}}
{{- if has ($port.containerPort | int64) (list (int64 8888) (int64 15000)) -}}
{{- $faults = append $faults (printf "%s.ports: %d is a port of the dequeuer or proxy; allowed: all but 8888 and 15000" $place ($port.containerPort | int64)) -}}
{{- end -}}
{{- end -}}
{{- range $which := list "readinessProbe" "livenessProbe" "startupProbe" -}}
{{- $probe := index $container $which -}}
{{- if $probe -}}
{{- $ways := 0 -}}
{{- range $way := list "httpGet" "tcpSocket" "exec" "grpc" -}}
{{- if hasKey $probe $way -}}{{- $ways = add1 $ways -}}{{- end -}}
{{- $action := index $probe $way -}}
{{- if and $action (kindIs "map" $action) (hasKey $action "port") -}}
{{- $port := $action.port | toString -}}
{{- if has $port (list "8888" "15000") -}}
{{- $faults = append $faults (printf "%s.%s.%s.port: %s is a port of the dequeuer or proxy; allowed: all but 8888 and 15000" $place $which $way $port) -}}
{{- end -}}
{{- if and (kindIs "string" $action.port) (regexMatch "^[0-9]+$" $port) -}}
{{- $faults = append $faults (printf "%s.%s.%s.port: %q is a text, which Kubernetes takes for a name; write the number without quotes" $place $which $way $port) -}}
{{- else if and (eq $which "readinessProbe") (kindIs "string" $action.port) -}}
{{- $named := false -}}
{{- range $given := $container.ports -}}{{- if eq ($given.name | toString) $port -}}{{- $named = true -}}{{- end -}}{{- end -}}
{{- if not $named -}}
{{- $faults = append $faults (printf "%s.%s.%s.port: no port of the container has the name %q; give the number, or the port a name" $place $which $way $port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if ne $ways 1 -}}
{{- $faults = append $faults (printf "%s.%s: has %d handlers; allowed: exactly one of httpGet, tcpSocket, exec, grpc" $place $which $ways) -}}
{{- end -}}
{{- if and (eq $which "readinessProbe") (ne $api.kind "RealtimeAPI") (or (hasKey $probe "exec") (hasKey $probe "grpc")) -}}
{{- $faults = append $faults (printf "%s.readinessProbe: the dequeuer runs it, which knows no exec and no grpc; allowed for %s: httpGet, tcpSocket" $place $api.kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $variables := dict -}}
{{- range $variable := $container.env -}}
{{- if regexMatch "^(CORTEX|KUBEXIT)_" $variable.name -}}
{{- $faults = append $faults (printf "%s.env: %s is set by the chart or reserved; allowed: names that do not begin with CORTEX_ or KUBEXIT_" $place $variable.name) -}}
{{- end -}}
{{- if hasKey $variables $variable.name -}}
{{- $faults = append $faults (printf "%s.env: %s is there twice; remove one" $place $variable.name) -}}
{{- end -}}
{{- $_ := set $variables $variable.name true -}}
{{- end -}}
{{- if and (eq $api.form "prestop") $container.lifecycle -}}
{{- if hasKey $container.lifecycle "preStop" -}}
{{- $faults = append $faults (printf "%s.lifecycle.preStop: with `form: prestop` the hook of the container waits for the drain; remove it, or use `form: native`" $place) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $api.kind "BatchAPI") (not $container.command) (not $container.args) -}}
{{- $faults = append $faults (printf "%s: a BatchAPI needs `command` or `args`, as in Cortex" $place) -}}
{{- end -}}
{{- end -}}
{{- range $label, $_ := $api.podLabels -}}
{{- if has $label (list "apiName" "apiKind" "cortex.dev/api" "cortex.dev/batch" "jobID" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component") -}}
{{- $faults = append $faults (printf "apis.%s.podLabels: %s is set by the chart; use another label" $.name $label) -}}
{{- end -}}
{{- end -}}
{{- range $volume := $api.volumes -}}
{{- if has $volume.name (list "mnt" "spec" "client-config" "shm") -}}
{{- $faults = append $faults (printf "apis.%s.volumes: %s is a volume of the chart; use another name" $.name $volume.name) -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{/* Faults of the scaling of one API, as a JSON array. Argument: root, name, api. */}}
{{- define "dequeuer.scalingFaults" -}}
{{- $faults := list -}}
{{- $api := .api -}}
{{- $scaling := $api.autoscaling -}}
{{- $place := printf "apis.%s.autoscaling" .name -}}
{{- $least := $scaling.minReplicas | int64 -}}
{{- if and (ne $scaling.type "none") (gt $least ($scaling.maxReplicas | int64)) -}}
{{- $faults = append $faults (printf "%s.minReplicas: %d is above maxReplicas, %d" $place $least ($scaling.maxReplicas | int64)) -}}
{{- end -}}
{{- if and (ne $scaling.type "none") (hasPrefix "auto" (toString $api.concurrency)) (not $scaling.targetInFlight) -}}
{{- $faults = append $faults (printf "%s.targetInFlight: is needed, because concurrency is %s" $place $api.concurrency) -}}
{{- end -}}
{{- if and (eq .api.kind "AsyncAPI") (eq .api.workload "ScaledJob") (ne $scaling.type "keda") -}}
{{- $faults = append $faults (printf "%s.type: %s; KEDA starts the Jobs of `workload: ScaledJob`; set keda" $place $scaling.type) -}}
{{- end -}}
{{- if eq $scaling.type "hpa" -}}
{{- if lt $least 1 -}}
{{- $faults = append $faults (printf "%s.minReplicas: 0 needs type keda; allowed with hpa: at least 1" $place) -}}
{{- end -}}
{{- if not $scaling.metricName -}}
{{- $faults = append $faults (printf "%s.metricName: is needed with hpa: the external metric with the requests in flight" $place) -}}
{{- end -}}
{{- end -}}
{{- if eq $scaling.type "keda" -}}
{{- if eq $api.kind "RealtimeAPI" -}}
{{- if lt $least 1 -}}
{{- $faults = append $faults (printf "%s.minReplicas: 0, but a RealtimeAPI without pods has no metric that brings one; allowed: at least 1" $place) -}}
{{- end -}}
{{- else -}}
{{- if not .root.Values.region -}}
{{- $faults = append $faults "region: is needed by KEDA, which reads the queues of AsyncAPIs" -}}
{{- end -}}
{{- if $scaling.targetInFlight -}}
{{- if ne (floor $scaling.targetInFlight) (float64 $scaling.targetInFlight) -}}
{{- $faults = append $faults (printf "%s.targetInFlight: %v; KEDA takes a whole number for a queue" $place $scaling.targetInFlight) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{/* Faults of one API, as a JSON array. Argument: root, name, api, own (its values without the defaults). */}}
{{- define "dequeuer.apiFaults" -}}
{{- $faults := list -}}
{{- $api := .api -}}
{{- $place := printf "apis.%s" .name -}}
{{- if and (eq $api.kind "AsyncAPI") (not $api.queueUrl) -}}
{{- $faults = append $faults (printf "%s.queueUrl: is needed by an AsyncAPI" $place) -}}
{{- end -}}
{{- if and (ne $api.kind "AsyncAPI") $api.queueUrl -}}
{{- $faults = append $faults (printf "%s.queueUrl: a %s has no queue of its own; remove it, or make it an AsyncAPI" $place $api.kind) -}}
{{- end -}}
{{- if and (eq $api.form "native") (semverCompare "<1.29.0-0" .root.Capabilities.KubeVersion.Version) -}}
{{- $faults = append $faults (printf "%s.form: native needs Kubernetes 1.29 or later, this is %s; use `form: prestop`" $place .root.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if eq (toString $.own.workload) "ScaledJob" -}}
{{- if ne $api.kind "AsyncAPI" -}}
{{- $faults = append $faults (printf "%s.workload: ScaledJob is for an AsyncAPI, this is of kind %s; remove it" $place $api.kind) -}}
{{- else if eq $api.form "prestop" -}}
{{- $faults = append $faults (printf "%s.form: with prestop the Jobs of a ScaledJob would not end; use `form: native`" $place) -}}
{{- end -}}
{{- end -}}
{{- $concurrency := toString $api.concurrency -}}
{{- if hasPrefix "auto" $concurrency -}}
{{- if gt (trimPrefix "auto" $concurrency | trimPrefix ":" | default "1" | int64) 1000 -}}
{{- $faults = append $faults (printf "%s.concurrency: %s; allowed: at most auto:1000" $place $concurrency) -}}
{{- end -}}
{{- else if and (ne $api.kind "RealtimeAPI") (gt ($api.concurrency | int64) 1000) -}}
{{- $faults = append $faults (printf "%s.concurrency: %d; allowed for %s: at most 1000" $place ($api.concurrency | int64) $api.kind) -}}
{{- end -}}
{{- if and (ne $api.kind "RealtimeAPI") (not (kindIs "invalid" $api.requestTimeout)) -}}
{{- if eq (float64 $api.requestTimeout) 0.0 -}}
{{- $faults = append $faults (printf "%s.requestTimeout: 0; allowed for %s: more than 0" $place $api.kind) -}}
{{- end -}}
{{- end -}}
{{- $strategy := $api.updateStrategy -}}
{{- if and (has (toString $strategy.maxSurge) (list "0" "0%")) (has (toString $strategy.maxUnavailable) (list "0" "0%")) -}}
{{- $faults = append $faults (printf "%s.updateStrategy: maxSurge and maxUnavailable are both 0: no pod could be replaced" $place) -}}
{{- end -}}
{{- range $field := list "httpRoute" "ingress" -}}
{{- $route := index $.own $field | default dict -}}
{{- if and $route.enabled (ne $api.kind "RealtimeAPI") -}}
{{- $faults = append $faults (printf "%s.%s: an API of kind %s is reached through the gateway; set gateway.%s" $place $field $api.kind $field) -}}
{{- end -}}
{{- end -}}
{{- if eq $api.kind "RealtimeAPI" -}}
{{- if and $api.httpRoute.enabled (not $api.httpRoute.parentRefs) -}}
{{- $faults = append $faults (printf "%s.httpRoute.parentRefs: is empty; name the Gateway" $place) -}}
{{- end -}}
{{- if and $api.ingress.enabled (not $api.ingress.host) -}}
{{- $faults = append $faults (printf "%s.ingress.host: is empty; an Ingress of the chart is for one host" $place) -}}
{{- end -}}
{{- end -}}
{{- $set := dict -}}
{{- range $variable := include "dequeuer.sidecarEnv" . | fromYamlArray -}}
{{- if hasKey $set $variable.name -}}
{{- $faults = append $faults (printf "%s.env: %s is there twice; the chart sets it from a value, or remove one" $place $variable.name) -}}
{{- end -}}
{{- $_ := set $set $variable.name true -}}
{{- end -}}
{{- $faults = concat $faults (include "dequeuer.containerFaults" . | fromJsonArray) -}}
{{- if eq $api.kind "BatchAPI" -}}
{{- if $.own.autoscaling -}}
{{- $faults = append $faults (printf "%s.autoscaling: a BatchAPI has as many workers as its jobs ask for; remove it" $place) -}}
{{- end -}}
{{- else -}}
{{- $faults = concat $faults (include "dequeuer.scalingFaults" . | fromJsonArray) -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{/* Faults of one TrafficSplitter, as a JSON array. Argument: root, name, splitter. */}}
{{- define "dequeuer.splitterFaults" -}}
{{- $faults := list -}}
{{- $place := printf "trafficSplitters.%s" .name -}}
{{- $sum := 0 -}}
{{- $shadows := 0 -}}
{{- $seen := dict -}}
{{- range $part := .splitter.apis -}}
{{- $api := index $.root.Values.apis $part.name -}}
{{- if ne (dig "kind" "" (default dict $api)) "RealtimeAPI" -}}
{{- $faults = append $faults (printf "%s.apis: %s is no RealtimeAPI of `apis`" $place $part.name) -}}
{{- end -}}
{{- if hasKey $seen $part.name -}}
{{- $faults = append $faults (printf "%s.apis: %s is there twice; remove one" $place $part.name) -}}
{{- end -}}
{{- $_ := set $seen $part.name true -}}
{{- if $part.shadow -}}{{- $shadows = add1 $shadows -}}{{- else -}}{{- $sum = add $sum ($part.weight | int64) -}}{{- end -}}
{{- end -}}
{{- if ne (int64 $sum) 100 -}}
{{- $faults = append $faults (printf "%s.apis: the weights are %d together; allowed: 100, without the shadow" $place (int64 $sum)) -}}
{{- end -}}
{{- if gt (int64 $shadows) 1 -}}
{{- $faults = append $faults (printf "%s.apis: has %d shadows; allowed: at most one" $place (int64 $shadows)) -}}
{{- end -}}
{{- if and (dig "httpRoute" "enabled" false .splitter) (not (dig "httpRoute" "parentRefs" list .splitter)) -}}
{{- $faults = append $faults (printf "%s.httpRoute.parentRefs: is empty; name the Gateway" $place) -}}
{{- end -}}
{{- if hasKey .root.Values.apis .name -}}
{{- $faults = append $faults (printf "%s: an API has this name, too; rename one" $place) -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{/* Faults of the gateway, webhooks, page and controller, as a JSON array. */}}
{{- define "dequeuer.programFaults" -}}
{{- $faults := list -}}
{{- $values := .Values -}}
{{- if and $values.gateway.httpRoute.enabled (not $values.gateway.httpRoute.parentRefs) -}}
{{- $faults = append $faults "gateway.httpRoute.parentRefs: is empty; name the Gateway" -}}
{{- end -}}
{{- if and $values.gateway.ingress.enabled (not $values.gateway.ingress.host) -}}
{{- $faults = append $faults "gateway.ingress.host: is empty; an Ingress of the chart is for one host" -}}
{{- end -}}
{{- if and $values.webhooks.enabled (not $values.webhooks.queueUrl) -}}
{{- $faults = append $faults "webhooks.queueUrl: is needed by the program that delivers webhooks" -}}
{{- end -}}
{{- if $values.ui.enabled -}}
{{- if not $values.ui.token.secretName -}}
{{- $faults = append $faults "ui.token.secretName: is needed: a Secret with the token that people need to see the page; `dequeuer token` makes one" -}}
{{- end -}}
{{- if not (or $values.gateway.enabled $values.ui.gatewayUrl) -}}
{{- $faults = append $faults "ui.gatewayUrl: is needed, because the release has no gateway" -}}
{{- end -}}
{{- if and $values.gateway.enabled $values.gateway.tokens.secretName (not $values.ui.gatewayUrl) (not $values.ui.gatewayToken.secretName) -}}
{{- $faults = append $faults "ui.gatewayToken.secretName: is needed, because the gateway has tokens" -}}
{{- end -}}
{{- end -}}
{{- if and $values.ui.ingress.enabled (not $values.ui.ingress.host) -}}
{{- $faults = append $faults "ui.ingress.host: is empty; an Ingress of the chart is for one host" -}}
{{- end -}}
{{- $batch := false -}}
{{- range $values.apis -}}{{- if eq .kind "BatchAPI" -}}{{- $batch = true -}}{{- end -}}{{- end -}}
{{- if $values.controller.enabled -}}
{{- if not $values.controller.image -}}
{{- $faults = append $faults "controller.image: is needed: an image of yours with the dequeuer and the programs of your BatchAPIs" -}}
{{- end -}}
{{- if not $batch -}}
{{- $faults = append $faults "controller.enabled: there is no BatchAPI in `apis` whose jobs it could run" -}}
{{- end -}}
{{- end -}}
{{- if and $values.cortexNames.enabled (not $values.gateway.enabled) -}}
{{- $faults = append $faults "cortexNames.enabled: the names lead to the gateway; set gateway.enabled" -}}
{{- end -}}
{{- $users := list -}}
{{- range $program := list "gateway" "webhooks" "ui" "controller" -}}
{{- $given := index $values $program -}}
{{- if and $given.enabled (ne $program "ui") -}}{{- $users = append $users $program -}}{{- end -}}
{{- range $variable := $given.env -}}
{{- if has $variable.name (list "DEQUEUER_APIS" "DEQUEUER_QUEUES" "DEQUEUER_BUCKET" "DEQUEUER_CLUSTER_UID" "DEQUEUER_WEBHOOK_QUEUE" "DEQUEUER_GATEWAY_PORT" "DEQUEUER_ADMIN_PORT" "DEQUEUER_TOKENS" "DEQUEUER_WEBHOOK_KEYS" "DEQUEUER_GATEWAY_URL" "DEQUEUER_TOKEN_FILE" "DEQUEUER_UI_HOST" "DEQUEUER_UI_PORT" "DEQUEUER_UI_NAMES" "DEQUEUER_UI_TOKEN_FILE" "AWS_REGION" "CORTEX_VERSION" "DEQUEUER_LOG_LEVEL") -}}
{{- $faults = append $faults (printf "%s.env: %s is set by the chart from a value; remove it" $program $variable.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $api := $values.apis -}}{{- if ne $api.kind "RealtimeAPI" -}}{{- $users = append $users (printf "apis.%s" $name) -}}{{- end -}}{{- end -}}
{{- if $users -}}
{{- range $field := list "clusterUid" "bucket" -}}
{{- if not (index $values $field) -}}
{{- $faults = append $faults (printf "%s: is needed by %s" $field (join ", " $users)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{/* Fails with all faults, or is empty. */}}
{{- define "dequeuer.checks" -}}
{{- $faults := include "dequeuer.programFaults" . | fromJsonArray -}}
{{- range $field := list "kind" "queueUrl" "containers" "endpoint" -}}
{{- if hasKey $.Values.defaults $field -}}
{{- $faults = append $faults (printf "defaults.%s: belongs to one API; set it in apis.<name>" $field) -}}
{{- end -}}
{{- end -}}
{{- $accounts := dict -}}
{{- range $part := list "gateway" "webhooks" "ui" "controller" -}}
{{- $given := index $.Values $part -}}
{{- if and $given.enabled $given.serviceAccount.create -}}
{{- $account := default (include "dequeuer.name" (dict "root" $ "part" $part)) $given.serviceAccount.name -}}
{{- $_ := set $accounts $account (append (index $accounts $account | default list) $part) -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.apis -}}
{{- $account := (include "dequeuer.api" (dict "root" $ "name" $name) | fromJson).serviceAccount -}}
{{- if $account.create -}}
{{- $object := default (printf "api-%s" $name) $account.name -}}
{{- $_ := set $accounts $object (append (index $accounts $object | default list) (printf "apis.%s" $name)) -}}
{{- end -}}
{{- end -}}
{{- range $account, $users := $accounts -}}
{{- if gt (len $users) 1 -}}
{{- $faults = append $faults (printf "serviceAccount.name %s: is created for %s; set serviceAccount.create to false for all but one of them" $account (join " and " $users)) -}}
{{- end -}}
{{- end -}}
{{- range $part := list "gateway" "webhooks" "ui" "controller" "client-config" -}}
{{- $object := include "dequeuer.name" (dict "root" $ "part" $part) -}}
{{- $api := trimPrefix "api-" $object -}}
{{- if and (hasPrefix "api-" $object) (hasKey $.Values.apis $api) (dig $part "enabled" true $.Values.AsMap) -}}
{{- $faults = append $faults (printf "apis.%s: its objects have the name %s, and so has %s of the release %s; rename one of them" $api $object $part $.Release.Name) -}}
{{- end -}}
{{- end -}}
{{- $endpoints := dict -}}
{{- range $name, $own := .Values.apis -}}
{{- $api := include "dequeuer.api" (dict "root" $ "name" $name) | fromJson -}}
{{- $faults = concat $faults (include "dequeuer.apiFaults" (dict "root" $ "name" $name "api" $api "own" $own) | fromJsonArray) -}}
{{- $endpoint := include "dequeuer.endpoint" (dict "name" $name "api" $api) -}}
{{- $_ := set $endpoints $endpoint (append (index $endpoints $endpoint | default list) (printf "apis.%s" $name)) -}}
{{- end -}}
{{- range $name, $splitter := .Values.trafficSplitters -}}
{{- $faults = concat $faults (include "dequeuer.splitterFaults" (dict "root" $ "name" $name "splitter" $splitter) | fromJsonArray) -}}
{{- $endpoint := include "dequeuer.endpoint" (dict "name" $name "api" $splitter) -}}
{{- $_ := set $endpoints $endpoint (append (index $endpoints $endpoint | default list) (printf "trafficSplitters.%s" $name)) -}}
{{- end -}}
{{- range $endpoint, $users := $endpoints -}}
{{- if gt (len $users) 1 -}}
{{- $faults = append $faults (printf "endpoint %s: is that of %s; each needs its own" $endpoint (join " and " $users)) -}}
{{- end -}}
{{- $segments := splitList "/" (trimPrefix "/" $endpoint) -}}
{{- if has (first $segments) (list "healthz" "verifycortex" "batch" "tasks") -}}
{{- $faults = append $faults (printf "%s.endpoint: the gateway itself answers /%s; use another path" (first $users) (first $segments)) -}}
{{- end -}}
{{- if or (has "." $segments) (has ".." $segments) -}}
{{- $faults = append $faults (printf "%s.endpoint: %s has a segment . or ..; use another path" (first $users) $endpoint) -}}
{{- end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\n%s\n" (join "\n" $faults)) -}}
{{- end -}}
{{- end -}}
