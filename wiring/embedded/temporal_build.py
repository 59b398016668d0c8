"""Builds our Temporal development server with Go and puts the binary into the cache, once per version of its source."""

import os
from pathlib import Path

from wiring.embedded.cache import Progress, locked
from wiring.embedded.commands import CommandResult, run_command
from wiring.embedded.go_toolchain import go_from_wheel, go_on_path
from wiring.embedded.temporal_source import source_key

_BINARY = "temporal-server"


def cached_binary(cache: Path, source: Path) -> Path:
    """Return where the binary of this source belongs; it exists only after a build."""
    return cache / "temporal-server" / source_key(source) / _BINARY


async def build_temporal_server(source: Path, cache: Path, progress: Progress, *, search_path: str | None = None) -> Path | str:
    """Build the server unless another process has done so meanwhile; a string says why it could not be built.

    Args:
        source: Folder with `go.mod`.
        cache: Standfast's cache folder.
        progress: Told what goes on, at least every 5 seconds.
        search_path: Where to look for `go`, as in PATH; the process's own when None.
    """
    target = cached_binary(cache, source)
    waiting = "another process is building the Temporal server; waiting for it"
    async with locked(cache / "temporal-server" / "build.lock", progress, waiting=waiting):
        if target.is_file():
            return target
        go = go_on_path(search_path, progress) or await go_from_wheel(cache, progress)
        if isinstance(go, str):
            return go
        draft = target.with_name(f"{_BINARY}.new")
        target.parent.mkdir(parents=True, exist_ok=True)
        progress("building the Temporal server from source: the first time takes about 5 minutes, afterwards it comes from the cache")
        result = await _go_build(go, source, draft, progress)
        if not result.ok:
            draft.unlink(missing_ok=True)
            return f"go build failed:\n{result.tail}"
        # Renamed at the end, so that a binary in its final place is always a whole one.
        draft.rename(target)
        progress(f"built the Temporal server: {target}")
        return target


async def _go_build(go: Path, source: Path, output: Path, progress: Progress) -> CommandResult:
    environment = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    if go.parent.parent.joinpath("src", "runtime").is_dir():
        environment["GOROOT"] = str(go.parent.parent)
    return await run_command(
        (str(go), "build", "-v", "-trimpath", "-ldflags=-s -w", "-o", os.fspath(output), "."),
        progress=progress,
        say=lambda seconds, packages: f"building the Temporal server: {packages} packages compiled or fetched, {_minutes(seconds)}",
        environment=environment,
        folder=source,
    )


def _minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"
