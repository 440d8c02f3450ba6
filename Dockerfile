# The tags fix only the minor version of Python. To fix the exact images, add the digests that your registry shows
# (`--build-arg BASE=docker.io/library/python:3.12-slim@sha256:...`).
ARG BASE=docker.io/library/python:3.12-slim
# The same Python with a C compiler: the modules of the realtime proxy are compiled.
ARG BUILD_BASE=docker.io/library/python:3.12


FROM ${BUILD_BASE} AS build

WORKDIR /src
COPY constraints.txt ./
# /tools builds the wheel and is not copied into the image. /opt/dequeuer, without pip, is copied.
RUN python3 -m venv /tools \
    && /tools/bin/pip install --quiet --no-cache-dir --constraint constraints.txt hatchling mypy setuptools \
    && python3 -m venv --without-pip /opt/dequeuer
COPY pyproject.toml README.md LICENSE ./
COPY scripts/compile_hook.py scripts/
COPY dequeuer dequeuer
RUN HATCH_BUILD_HOOK_ENABLE_CUSTOM=true /tools/bin/pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /tools/bin/pip --python /opt/dequeuer/bin/python3 install --quiet --no-cache-dir --no-compile \
        --only-binary :all: --constraint constraints.txt /wheels/*.whl
COPY scripts/prune_venv.py /tools/
# The root file system is read-only at run time: modules that are not compiled here are compiled at every start.
# Hash-based files stay valid when a builder changes the modification times of files.
RUN python3 /tools/prune_venv.py /opt/dequeuer \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/dequeuer


FROM ${BASE}

# The official image has no compiled files of Python's own library. Modules that install or test software are removed.
RUN lib="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && rm -rf /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/pydoc* /usr/local/bin/2to3* \
        "$lib"/site-packages/* "$lib"/ensurepip "$lib"/idlelib "$lib"/lib2to3 "$lib"/pydoc_data "$lib"/test \
        "$lib"/tkinter "$lib"/turtledemo \
    && python3 -m compileall -q --invalidation-mode unchecked-hash "$lib" \
    && ln -s /opt/dequeuer/bin/dequeuer /dequeuer
COPY --from=build /opt/dequeuer /opt/dequeuer

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The user `nonroot` of distroless images, as in Cortex's image. It is a number, because Kubernetes can check
# runAsNonRoot only with a number.
USER 65532:65532
# The admin server: /healthz, /livez, /metrics. There is no HEALTHCHECK, because Kubernetes probes this port.
EXPOSE 15000
ENTRYPOINT ["/dequeuer"]
