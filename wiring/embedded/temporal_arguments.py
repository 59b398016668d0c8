"""The command line of the Temporal development server (TEMPORAL.md section 2), one source for `standfast dev` and for tests."""

from dataclasses import dataclass
from pathlib import Path

from wiring.embedded.temporal_source import TEMPORAL_SERVER_VERSION

NAMESPACE = "default"

SEARCH_ATTRIBUTES = {
    "TenantId": "Keyword",
    "Definition": "Keyword",
    "RunStatus": "Keyword",
    "BuildId": "Keyword",
    "ReviewerRoles": "KeywordList",
}
"""Search attributes of every run, by name, with their Temporal type."""

DYNAMIC_CONFIG = {
    # A server with one history shard polls its queues 20 times a second: 50 ms for each activity. 2000 makes that 10 ms.
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    # Servers of a cluster may disagree about the time, so a timer fires up to 1 s late. One server agrees with itself.
    "history.timerProcessorMaxTimeShift": '"10ms"',
    "matching.enableFairness": "true",
    "frontend.WorkflowTimeSkippingEnabled": "true",
}
"""Server settings that differ from the defaults; the server accepts an unknown key without a word, so mind the spelling."""

SQLITE_PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}


@dataclass(frozen=True)
class TemporalPorts:
    """The loopback ports of the development server; Temporal's own defaults."""

    frontend: int = 7233
    ui: int = 8233
    metrics: int = 9233


def temporal_database_file(state_dir: Path) -> Path:
    """Return the SQLite file; its name carries the server version, since a file is not migrated to another one."""
    major, minor, _ = TEMPORAL_SERVER_VERSION
    return state_dir / "temporal" / f"temporal-{major}.{minor}.db"


def temporal_server_arguments(
    *,
    ports: TemporalPorts | None = None,
    database: Path | None = None,
    codec_endpoint: str | None = None,
    log_level: str = "warn",
) -> list[str]:
    """Return everything that follows the name of the program.

    Args:
        ports: Where to listen on 127.0.0.1; Temporal's defaults when None.
        database: The SQLite file, made at its first start; in memory when None.
        codec_endpoint: URL at which the Web UI has payloads decoded, such as `http://localhost:8080/codec`.
        log_level: `debug`, `info`, `warn`, `error` or `never`.
    """
    chosen = ports or TemporalPorts()
    arguments = ["server", "start-dev", "--ip", "127.0.0.1", "--namespace", NAMESPACE, "--log-level", log_level]
    arguments += ["--port", str(chosen.frontend), "--ui-port", str(chosen.ui), "--metrics-port", str(chosen.metrics)]
    if database is not None:
        arguments += ["--db-filename", str(database), *_pairs("--sqlite-pragma", SQLITE_PRAGMAS)]
    arguments += common_server_arguments()
    if codec_endpoint is not None:
        arguments += ["--ui-codec-endpoint", codec_endpoint]
    return arguments


def common_server_arguments() -> list[str]:
    """Return the arguments that hold wherever the server runs; give them as `dev_server_extra_args` to Temporal's test environment."""
    return [*_pairs("--search-attribute", SEARCH_ATTRIBUTES), *_pairs("--dynamic-config-value", DYNAMIC_CONFIG)]


def _pairs(flag: str, values: dict[str, str]) -> list[str]:
    return [part for key, value in values.items() for part in (flag, f"{key}={value}")]
