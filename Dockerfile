# Three images: `temporal` (the development server), `build` (the wheel), and the last one, which runs gateway, worker and migrations.
FROM golang:1.27-bookworm AS temporal-build
WORKDIR /src
COPY tools/temporal-server/ ./
RUN CGO_ENABLED=0 GOTOOLCHAIN=local go build -trimpath -o /temporal-server .

FROM debian:bookworm-slim AS temporal
RUN useradd --uid 10001 --create-home temporal && install -d -o temporal /data
COPY --from=temporal-build /temporal-server /usr/local/bin/temporal-server
USER temporal
ENTRYPOINT ["temporal-server"]
CMD ["server", "start-dev", "--ip", "0.0.0.0", "--port", "7233", "--ui-port", "8233", "--db-filename", "/data/temporal.db", "--sqlite-pragma", "journal_mode=wal"]

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
