# One image for the server and the workers: the wheel that `make wheel` builds, with its pages, and nothing else.
FROM python:3.13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make wheel

FROM python:3.13-slim
# The versions that the tests ran with; what only a checkout needs is left out by installing the wheel's own needs alone.
COPY --from=build /src/requirements-dev.txt /tmp/constraints.txt
COPY --from=build /src/dist/*.whl /tmp/
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /tmp/*.whl)[showcase]" && rm /tmp/*.whl /tmp/constraints.txt \
    && useradd --create-home ia
COPY --chown=ia examples /pipelines
USER ia
WORKDIR /home/ia
ENV PYTHONUNBUFFERED=1 IA_MODULES_PIPELINES=/pipelines
ENTRYPOINT ["ia-modules"]
CMD ["serve", "--host", "0.0.0.0"]
