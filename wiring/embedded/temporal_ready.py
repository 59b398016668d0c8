"""Waits until a Temporal server answers for our namespace, and refuses one that is too old."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from wiring.embedded.log_tail import end_of_log
from wiring.embedded.temporal_arguments import NAMESPACE
from wiring.embedded.temporal_source import TEMPORAL_SERVER_VERSION, version_text

_POLL_SECONDS = 0.05


class TemporalNotReadyError(Exception):
    """The server did not answer in time, or the process that should be it has ended."""


class TemporalTooOldError(Exception):
    """The server at the address is older than the platform needs."""


async def wait_for_temporal(
    address: str,
    *,
    namespace: str = NAMESPACE,
    limit_seconds: float = 30.0,
    alive: Callable[[], bool] = lambda: True,
    log: Path | None = None,
) -> str:
    """Wait until the server knows the namespace, and return the server's version.

    Args:
        address: `host:port` of the frontend.
        namespace: The namespace that must exist.
        limit_seconds: How long to try.
        alive: Asked after each try; False ends the wait, since a dead server process never answers: whoever does is another one.
        log: The log of the server process, to quote when it has ended.

    Raises:
        TemporalNotReadyError: With the address, the time and the last answer.
        TemporalTooOldError: When the server is older than 1.32.
    """
    start = time.monotonic()
    ask = await asyncio.to_thread(_probe)
    while True:
        version, answer = await ask(address, namespace)
        if not alive():
            raise TemporalNotReadyError(f"the Temporal server for {address} ended while it started; {end_of_log(log)}")
        if version is not None:
            return require_version(address, version)
        if time.monotonic() - start >= limit_seconds:
            raise TemporalNotReadyError(
                f"Temporal at {address} did not answer for namespace {namespace} within {limit_seconds:.0f} s: {answer}. "
                "Check that it runs; TEMPORAL_ADDRESS names an outside server, and without it an embedded one is started."
            )
        await asyncio.sleep(_POLL_SECONDS)


def _probe() -> Callable[[str, str], Awaitable[tuple[str | None, str]]]:
    from wiring.embedded.temporal_probe import ask  # noqa: PLC0415 - the SDK takes half a second to import, in which the server starts

    return ask


def require_version(address: str, version: str) -> str:
    """Return the version a server reports when it is new enough, or is not a number.

    Raises:
        TemporalTooOldError: When it is older than 1.32.
    """
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2]), int(found[3])) >= TEMPORAL_SERVER_VERSION:
        return version
    needed = version_text(TEMPORAL_SERVER_VERSION)
    raise TemporalTooOldError(
        f"the Temporal server at {address} is {version}; Standfast needs {needed} or newer "
        "(eager activities, fairness and time skipping). Upgrade it, or unset TEMPORAL_ADDRESS to use the embedded server."
    )
