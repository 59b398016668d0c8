"""Logs: one JSON line per event, or pretty on a terminal; set up once per process."""

import logging
import sys
from typing import Literal

import structlog

from domain.known_secrets import KnownSecrets


class _Redacted(logging.Formatter):
    """A formatter whose lines hold no secret that this process gave to a tool."""

    def __init__(self, inner: logging.Formatter, known: KnownSecrets) -> None:
        super().__init__()
        self._inner = inner
        self._known = known

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        return self._known.everybodys().cut_text(self._inner.format(record))


def redact_logs(known: KnownSecrets) -> None:
    """Strike known secrets out of every line from now on, tracebacks included."""
    for handler in logging.getLogger().handlers:
        if handler.formatter is not None:
            handler.setFormatter(_Redacted(handler.formatter, known))


def set_up_logs(*, style: Literal["auto", "json", "pretty"], level: str) -> None:
    """Send the standard library's and structlog's events to standard error in one format."""
    pretty = style == "pretty" or (style == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
