"""Facilities of a machine that some tests need: they skip with the reason, or fail when STANDFAST_REQUIRE_ALL=1 is set."""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.docker_backend import DockerSandbox

Facility = Literal["bubblewrap", "docker", "runsc", "chromium", "postgres15", "promtool"]

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin/postgres")
"""Debian's place of it."""
PGVECTOR_15 = Path("/usr/lib/postgresql/15/lib/vector.so")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def require(name: Facility) -> None:
    """Skip the test that calls this, with the reason, when the machine lacks the facility; fail where everything is required."""
    reason = reason_missing(name)
    if reason is None:
        return
    if os.environ.get("STANDFAST_REQUIRE_ALL") == "1":
        pytest.fail(f"{name} is required here: {reason}")
    pytest.skip(f"{name}: {reason}")


def reason_missing(name: Facility) -> str | None:
    """Return why the facility cannot be used, or None; each is looked for once."""
    if name not in _FOUND:
        _FOUND[name] = _LOOK[name]()
    return _FOUND[name]


def _waited(question: Callable[[], Coroutine[None, None, str | None]]) -> str | None:
    """Ask an async question in a thread of its own, since the test that asks may stand in a running loop."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(lambda: asyncio.run(question())).result()


def docker_url() -> str | None:
    """Return the daemon's address, None for the default one."""
    return os.environ.get("DOCKER_HOST")


def docker_sandbox(runtime: str | None = None) -> DockerSandbox:
    """Return a sandbox on the daemon of DOCKER_HOST, or on the default one."""
    return DockerSandbox(base_url=docker_url(), runtime=runtime)


async def _docker(runtime: str | None) -> str | None:
    """Ask the daemon of DOCKER_HOST."""
    sandbox = docker_sandbox(runtime)
    try:
        return await sandbox.missing()
    finally:
        await sandbox.aclose()


def _chromium() -> str | None:
    """Look for a browser, Playwright's or the system's."""
    named = os.environ.get("STANDFAST_CHROMIUM")
    own = list(Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright")).glob("chromium*"))
    if named or own or any(shutil.which(each) for each in CHROMIUM):
        return None
    return "no Chromium: apt-get install chromium"


_LOOK: dict[Facility, Callable[[], str | None]] = {
    "bubblewrap": lambda: _waited(BubblewrapSandbox().missing),
    "docker": lambda: _waited(lambda: _docker(None)),
    "runsc": lambda: _waited(lambda: _docker("runsc")),
    "chromium": _chromium,
    "postgres15": lambda: None if POSTGRES_15.exists() else f"{POSTGRES_15} is missing: apt-get install postgresql-15",
    "promtool": lambda: None if shutil.which("promtool") else "promtool is missing: apt-get install prometheus",
}
_FOUND: dict[Facility, str | None] = {}
