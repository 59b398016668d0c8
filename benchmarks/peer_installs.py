"""Installs other platforms for `benchmarks.peers`, in the user's cache and never beside ours; with pip's and npm's own configuration."""

import hashlib
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from wiring.embedded.cache import Progress, cache_folder, locked
from wiring.embedded.commands import run_command

INSTALL_SECONDS_MAX = 300.0

DBOS = ("dbos==3.4.0", "uvloop==0.23.0")
RESTATE = ("restate-sdk[client]==1.3.0", "hypercorn==0.18.0", "uvloop==0.23.0")
RESTATE_SERVER = "@restatedev/restate-server@1.7.12"
READY = "installed"


class PeerUnavailableError(Exception):
    """A platform cannot be installed or run here; the text says why, in one line."""


async def python_with(packages: Sequence[str], progress: Progress, *, cache: Path | None = None) -> Path:
    """Return the Python of an environment that has these packages, and no other than they need.

    Args:
        packages: Requirements with exact versions.
        progress: Told what goes on, every few seconds.
        cache: Standfast's cache folder; the user's own when None.

    Raises:
        PeerUnavailableError: pip cannot install them.
    """
    folder = _folder(cache, [*packages, sys.version, sysconfig.get_platform()])
    python = folder / "bin" / "python"
    async with locked(_lock(folder), progress, waiting=f"another process is installing {packages[0]}; waiting for it"):
        if not (folder / READY).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            await _run([sys.executable, "-m", "venv", str(folder)], packages[0], progress)
            await _run([str(python), "-m", "pip", "install", "--quiet", *packages], packages[0], progress)
            (folder / READY).touch()
    return python


async def restate_server(progress: Progress, *, cache: Path | None = None, search_path: str | None = None) -> Path:
    """Return Restate's server program.

    Args:
        progress: Told what goes on, every few seconds.
        cache: Standfast's cache folder; the user's own when None.
        search_path: Where to look for `npm`, as in PATH; the process's own when None.

    Raises:
        PeerUnavailableError: there is no npm, or it cannot install the server.
    """
    folder = _folder(cache, [RESTATE_SERVER, sysconfig.get_platform()])
    async with locked(_lock(folder), progress, waiting="another process is installing Restate's server; waiting for it"):
        if not (folder / READY).is_file():
            npm = shutil.which("npm", path=search_path)
            if npm is None:
                raise PeerUnavailableError("its server comes from npm, and `npm` is not on PATH")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
            await _run([npm, "install", *options, RESTATE_SERVER], RESTATE_SERVER, progress)
            (folder / READY).touch()
    found = [path for path in folder.glob("node_modules/@restatedev/restate-server-*/bin/restate-server") if os.access(path, os.X_OK)]
    if not found:
        raise PeerUnavailableError(f"{RESTATE_SERVER} holds no program for {sysconfig.get_platform()}")
    return found[0]


def _folder(cache: Path | None, parts: Sequence[str]) -> Path:
    name = re.split(r"[=\[@]", parts[0].lstrip("@"))[0].replace("/", "-")
    return (cache or cache_folder()) / "peers" / f"{name}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"


def _lock(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.lock"


async def _run(argv: Sequence[str], what: str, progress: Progress) -> None:
    result = await run_command(
        argv, progress=progress, say=lambda seconds, _: f"installing {what}, {seconds} s", limit_seconds=INSTALL_SECONDS_MAX
    )
    if not result.ok:
        said = [line for line in result.tail.splitlines() if line.strip()]
        why = f"no end after {INSTALL_SECONDS_MAX:.0f} s" if result.code is None else said[-1] if said else f"exit code {result.code}"
        raise PeerUnavailableError(f"{what} cannot be installed: {why}")
