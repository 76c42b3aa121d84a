# One image for every role: everything as a service, or one job.
#   docker build -t orchestration .
#   docker run --rm -p 127.0.0.1:3000:3000 orchestration
#   docker run --rm orchestration run acme/airports
# BASE_IMAGE needs python3 (3.11 to 3.14), in the build stage with venv and pip, and nothing else.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG UV_VERSION=0.13.9
# Extras of pyproject.toml that the image carries, separated by spaces.
ARG EXTRAS="connectors postgres"
ENV UV_PROJECT_ENVIRONMENT=/opt/orchestration \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    UV_SYSTEM_CERTS=1
RUN python3 -m venv /opt/uv && /opt/uv/bin/python -m pip install --no-cache-dir uv==${UV_VERSION}
WORKDIR /build
# The dependencies change seldom and the package often: two layers.
COPY pyproject.toml uv.lock ./
RUN /opt/uv/bin/uv sync --frozen --no-install-project $(printf -- ' --extra %s' ${EXTRAS})
COPY README.md LICENSE ./
COPY orchestration ./orchestration
RUN /opt/uv/bin/uv sync --frozen --no-editable $(printf -- ' --extra %s' ${EXTRAS})

# The image for a workspace of your own.
FROM ${BASE_IMAGE} AS runtime
LABEL org.opencontainers.image.title="orchestration" \
      org.opencontainers.image.description="Multi-tenant ingestion jobs written in YAML, run and scheduled by Dagster" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/orchestration /opt/orchestration
# These folders are all that is written to; by group 0 too, for platforms that choose the user.
RUN useradd --uid 10001 --gid 0 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin orchestrate \
    && install -d -o 10001 -g 0 -m 0775 /app/.orchestrate /app/.orchestrate/dagster /app/warehouse
WORKDIR /app
ENV PATH=/opt/orchestration/bin:$PATH \
    DAGSTER_HOME=/app/.orchestrate/dagster \
    HOME=/tmp \
    PYTHONUNBUFFERED=1
USER 10001
EXPOSE 3000
ENTRYPOINT ["orchestrate"]
# The address is that of the container: who reaches it is decided where its port is published.
CMD ["up", "--host", "0.0.0.0", "--allow-remote"]

# The same with the example workspace.
FROM runtime
COPY runner.yaml ./
COPY jobs ./jobs
