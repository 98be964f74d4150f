# The image of the relay: docker build -t roomcast . (needs BuildKit, which is docker's default)
#
# Two stages. What builds, and what building leaves behind, stays in the first; the second is the plain
# Python image, one directory with the installed relay, and the configuration file.

ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1
# Without a pip of its own, the environment holds the relay and what that imports, nothing more.
RUN python -m venv --without-pip /opt/roomcast

# The dependencies first: they change seldom, and their layer outlives every change of our own code.
# Behind a package index of your own: docker build --secret id=pip.conf,src=$HOME/.config/pip/pip.conf .
COPY pyproject.toml ./
RUN --mount=type=cache,target=/var/cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        print(*project["dependencies"], *project["optional-dependencies"]["tokens"], sep="\n")' > requirements.txt \
    && pip --python /opt/roomcast/bin/python install --quiet --only-binary :all: --requirement requirements.txt

COPY LICENSE README.md ./
COPY app app
COPY config config
RUN --mount=type=cache,target=/var/cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    pip wheel --quiet --no-deps --wheel-dir dist . \
    && pip --python /opt/roomcast/bin/python install --quiet --no-index --no-deps dist/*.whl

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="roomcast" \
      org.opencontainers.image.description="A WebSocket broadcast relay: what a client sends to a path reaches everyone else on it" \
      org.opencontainers.image.licenses="BSD-3-Clause" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /opt/roomcast /opt/roomcast
# Readable for whatever user the container is given, also when the checkout was private to its owner.
COPY --chmod=0644 config/roomcast.toml /etc/roomcast/roomcast.toml

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
