# Python 3.12 for amd64 and arm64, with a C compiler, on Debian. Dependabot proposes newer digests; docs/releases.md says
# how another base is taken.
ARG BASE=docker.io/library/python:3.12@sha256:4d1caded1f729ae443eb803f26ffde7b61e696aeaef62f099abb6dd6b14257c7


FROM ${BASE} AS build

WORKDIR /src
COPY requirements requirements
# /tools builds the wheel and is not copied into the image. /opt/dequeuer, without pip, is copied.
RUN python3 -m venv /tools \
    && python3 -m venv --without-pip /opt/dequeuer \
    && /tools/bin/pip install --quiet --no-cache-dir --only-binary :all: --require-hashes --requirement requirements/build.txt \
    && /tools/bin/pip --python /opt/dequeuer/bin/python3 install --quiet --no-cache-dir --no-compile \
        --only-binary :all: --require-hashes --requirement requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY scripts/compile_hook.py scripts/image_root.py scripts/prune_venv.py scripts/sbom.py scripts/
COPY dequeuer dequeuer
# With another value everything below is built again: scripts/check-image compares the results.
ARG BUILD=once
ARG SOURCE_DATE_EPOCH=0
# Everything that is made here is the same in each build: times, the order of files, the hashes of texts.
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PYTHONHASHSEED=0
RUN HATCH_BUILD_HOOK_ENABLE_CUSTOM=true /tools/bin/pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /tools/bin/pip --python /opt/dequeuer/bin/python3 install --quiet --no-cache-dir --no-compile --no-deps /wheels/*.whl \
    && python3 scripts/prune_venv.py /opt/dequeuer
# The root file system is read-only at run time: modules that are not compiled here are compiled at every start.
# Hash-based files stay valid when a builder changes the modification times of files.
RUN python3 scripts/image_root.py /opt/dequeuer /rootfs \
    && python3 -m compileall -q -s /rootfs -p / --invalidation-mode unchecked-hash /rootfs \
    && /tools/bin/python3 scripts/sbom.py /rootfs \
    && python3 scripts/image_root.py --settle /rootfs


FROM scratch

COPY --from=build /rootfs /

ARG CREATED=1970-01-01T00:00:00Z
ARG REVISION=unknown
ARG SOURCE=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="dequeuer" \
    org.opencontainers.image.description="Sidecar for the web server in the same pod: SQS queues, batch jobs, realtime requests" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.version="${VERSION}"
ENV PATH=/opt/dequeuer/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The user `nonroot` of distroless images, as in Cortex's image. It is a number, because Kubernetes can check
# runAsNonRoot only with a number.
USER 65532:65532
# The admin server: /healthz, /livez, /metrics. There is no HEALTHCHECK, because Kubernetes probes this port.
EXPOSE 15000
ENTRYPOINT ["/dequeuer"]
