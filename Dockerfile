# The commands of mllog: setup, ship, watchers, demo. Built by docker-compose.yml, or: docker build -t mllog:0.1.0 .
# Plain enough for builders without BuildKit. Python is the version that the tests run on.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
# Compiles the logger's loops; stays in this stage.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml hatch_build.py constraints.txt README.md LICENSE ./
COPY mllog ./mllog
COPY watchers ./watchers
COPY kibana_objects ./kibana_objects
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .
RUN python -m venv /opt/mllog
RUN /opt/mllog/bin/python -m pip install --no-cache-dir --constraint constraints.txt "$(ls /wheels/mllog_elastic-*.whl)[all]"

FROM ${PYTHON}
LABEL org.opencontainers.image.title="mllog" \
      org.opencontainers.image.description="Log-based monitoring of machine-learning models" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update && apt-get install -y --no-install-recommends openssl && rm -rf /var/lib/apt/lists/*
# Folders where volumes are mounted: a new volume takes over their owner.
RUN groupadd --gid 1000 mllog && \
    useradd --uid 1000 --gid 1000 --home-dir /var/lib/mllog --no-create-home --shell /usr/sbin/nologin mllog && \
    for folder in authority trust elasticsearch kibana logstash snapshots; do \
        install -d -o mllog -g mllog -m 700 "/certificates/$folder"; done && \
    install -d -o mllog -g mllog -m 750 /var/lib/mllog
COPY --from=build /opt/mllog /opt/mllog
COPY deploy/certificates.sh /opt/mllog/bin/
ENV PATH=/opt/mllog/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/mllog
USER 1000:1000
# Each service says itself how its health is checked.
HEALTHCHECK NONE
CMD ["mllog", "--help"]
