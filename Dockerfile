# Three images: `temporal` (the development server), `build` (the wheel), and the last one, which runs gateway, worker and migrations.
FROM golang:1.26-bookworm AS temporal-build
WORKDIR /src
COPY tools/temporal-server/ ./
RUN CGO_ENABLED=0 GOTOOLCHAIN=local go build -trimpath -o /temporal-server .

FROM debian:bookworm-slim AS temporal
RUN useradd --uid 10001 --create-home temporal && install -d -o temporal /data
COPY --from=temporal-build /temporal-server /usr/local/bin/temporal-server
USER temporal
ENTRYPOINT ["temporal-server"]
# The command line of `standfast dev`, and frontend and Web UI open to the container's network, which has to be a private one.
CMD ["server", "start-dev", "--listen-everywhere", "--ip", "127.0.0.1", "--namespace", "default", "--log-level", "warn", \
     "--port", "7233", "--ui-port", "8233", "--metrics-port", "9233", "--db-filename", "/data/temporal-1.32.db", \
     "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL", \
     "--search-attribute", "TenantId=Keyword", "--search-attribute", "Definition=Keyword", "--search-attribute", "RunStatus=Keyword", \
     "--search-attribute", "BuildId=Keyword", "--search-attribute", "ReviewerRoles=KeywordList", \
     "--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000", "--dynamic-config-value", "history.timerProcessorMaxPollRPS=2000", \
     "--dynamic-config-value", "history.timerProcessorMaxTimeShift=\"10ms\"", \
     "--dynamic-config-value", "matching.enableFairness=true", "--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"]

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/standfast && /opt/standfast/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . ./clients/python ./clients/verify \
 && /opt/standfast/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.12-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap libseccomp2 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home standfast \
 && install -d -o standfast -m 0700 /var/lib/standfast
COPY --from=build /opt/standfast /opt/standfast
ENV PATH=/opt/standfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STANDFAST_STATE_DIR=/var/lib/standfast \
    STANDFAST_LOG_FORMAT=json
USER standfast
# An empty folder: the installed wheel is the only copy of the code.
WORKDIR /var/lib/standfast
EXPOSE 8080
ENTRYPOINT ["standfast"]
CMD ["gateway"]
