# The image of the relay: `make image`, or docker build -t roomcast . (needs BuildKit, which is docker's default)
#
# What builds, and what building leaves behind, stays in the first stages; the last is the plain Python image,
# one layer of dependencies, a small one of our own code, and the configuration file. `make image-size` says
# what each of them weighs.

# A tag and no digest: it is the base's security fixes that a new build is for.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS dependencies
# In a stage that is thrown away, pip may be root.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_WARN_SCRIPT_LOCATION=1
# Without a pip of its own, the environment holds the relay and what that imports, nothing more.
RUN python -m venv --without-pip /opt/roomcast
# They change seldom, and their layer outlives every change of our own code. Each file is the one that was
# there when `make lock` ran, or pip refuses it.
# Behind a package index of your own: docker build --secret id=pip.conf,src=$HOME/.config/pip/pip.conf .
COPY deploy/requirements.lock /build/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    pip --python /opt/roomcast/bin/python install --quiet --no-cache-dir --only-binary :all: --require-hashes \
        --requirement /build/requirements.lock \
    # Some packages install their own tests, 5 MiB in all, which nobody runs here.
    && find /opt/roomcast/lib -type d -name tests -prune -exec rm -rf {} +

FROM dependencies AS build
WORKDIR /build
COPY deploy/build.lock ./
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    pip install --quiet --no-cache-dir --only-binary :all: --require-hashes --requirement build.lock
COPY LICENSE README.md pyproject.toml ./
COPY app app
COPY config config
# Beside the environment and not into it, so that our code becomes a layer of its own.
RUN pip wheel --quiet --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/roomcast/bin/python install --quiet --no-cache-dir --no-index --no-deps --root /ours dist/*.whl

FROM ${PYTHON_IMAGE}
COPY --from=dependencies /opt/roomcast /opt/roomcast
COPY --from=build /ours/opt/roomcast /opt/roomcast
# Readable for whatever user the container is given, also when the checkout was private to its owner.
COPY --chmod=0644 config/roomcast.toml /etc/roomcast/roomcast.toml

# Behind the layers, which are then the same whatever they are called. `make image` knows the values.
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="roomcast" \
      org.opencontainers.image.description="A WebSocket broadcast relay: what a client sends to a path reaches everyone else on it" \
      org.opencontainers.image.licenses="BSD-3-Clause" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# Unbuffered, or the last lines before a crash would die with it. On 0.0.0.0, because a container that
# listens on its own loopback answers nobody; who may reach the ports is for whoever publishes them.
ENV PATH=/opt/roomcast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ROOMCAST_SERVER__HOST=0.0.0.0 \
    ROOMCAST_ADMIN__HOST=0.0.0.0
EXPOSE 8080 8081

# A number and not a name: Kubernetes' runAsNonRoot can only judge numbers.
USER 10001:10001
STOPSIGNAL SIGTERM

# Bash can speak to a port by itself, in 2 ms; a Python would take 10, and one that imports the relay 300,
# every ten seconds. A relay whose loop is stuck accepts and then says nothing: hence the time limit of the read.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["bash", "-c", "\
    exec 3<>/dev/tcp/127.0.0.1/${ROOMCAST_ADMIN__PORT:-8081} \
    && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 \
    && read -r -t 2 version status reason <&3 \
    && echo \"/healthz answers $status\" && [ \"$status\" = 200 ]"]

ENTRYPOINT ["roomcast"]
CMD ["serve"]
