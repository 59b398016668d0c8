"""What this machine has, as `standfast doctor` asks: whether a database answers, a port is free, the master key is sound, sandboxes run."""

import base64
import binascii
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from adapters.codec.data_keys import KEY_BYTES
from adapters.codec.master_key import others_may_read
from adapters.postgres.pool import Database
from adapters.postgres.schema_version import check_schema_version
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from domain.errors import SandboxUnavailable, StandfastError
from wiring.outbound import build_outbound
from wiring.settings import Environment
from wiring.settings_sandboxes import SandboxSettings
from wiring.tools import build_sandboxes

DATABASE_S = 3.0
"""A database that takes longer to answer is told as one that does not."""


class SandboxFound(NamedTuple):
    """A backend, or a profile on one: `reason` is why it cannot run here and what to do, None when it can; `limits` says what holds it."""

    name: str
    reason: str | None
    limits: str


async def database_refusal(url: str) -> str | None:
    """Return why the database cannot be used with this version, or None."""
    try:
        async with Database(url, max_size=1, timeout_s=DATABASE_S) as database:
            await check_schema_version(database)
    except (StandfastError, OSError) as error:
        return str(error)
    return None


def port_taken(host: str, port: int) -> bool:
    """Whether something listens on a port of this machine already."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def key_problem(path: Path) -> str | None:
    """Return what is wrong with the master key's file, or None; a file that is missing is made at the first start."""
    try:
        found, text = path.stat(), path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        return f"it cannot be read ({error}): it is 32 bytes as base64"
    if others_may_read(found):
        return f"others may read it: `chmod 600 {path}`"
    try:
        return (
            None if len(base64.b64decode(text.strip(), validate=True)) == KEY_BYTES else "it holds no 32 bytes: restore it from your backup"
        )
    except binascii.Error:
        return "it is no base64: restore it from your backup"


async def sandboxes_found(environment: Environment) -> AsyncIterator[SandboxFound]:
    """Give every backend, then every profile that cannot run though its backend can."""
    settings = SandboxSettings()
    router = build_sandboxes(settings, environment, build_outbound(environment))
    try:
        lacking = await router.available()
        for name, reason in lacking.items():
            yield SandboxFound(name, reason, router.limits(name))
        for profile in (DEFAULT_PROFILES | settings.profiles).values():
            if lacking.get(profile.backend) is None:
                try:
                    await router.require(profile)
                except SandboxUnavailable as error:
                    yield SandboxFound(f"profile {profile.name}", error.detail, "")
    finally:
        await router.aclose()
