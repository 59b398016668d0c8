"""Lets the Temporal SDK download the official CLI, in a process of its own that is killed when it takes too long.

A process of its own (`temporal_downloader`) for three reasons: the SDK's download cannot be interrupted from Python, an interpreter
that used the SDK may crash while it exits, and nobody else has to load the SDK for it.
"""

import os
import sys
from pathlib import Path

from wiring.embedded.cache import Progress, locked
from wiring.embedded.commands import run_command

DOWNLOAD_SECONDS_MAX = 15.0
"""How long a download may take in all (DESIGN section 15); without internet access it fails within this time."""

_IMPORT_ROOT = Path(__file__).resolve().parents[2]


async def download_temporal_cli(cache: Path, progress: Progress) -> Path | str:
    """Return the CLI the SDK downloaded now or earlier; a string says why there is none.

    Args:
        cache: Standfast's cache folder.
        progress: Told what goes on, every few seconds.
    """
    folder = cache / "temporal-cli"
    async with locked(cache / "temporal-cli.lock", progress, waiting="another process is downloading the Temporal CLI; waiting for it"):
        present = downloaded_cli(folder)
        if present is not None:
            return present
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.downloading"):  # of a killed attempt; the SDK would wait a minute for it
            leftover.unlink()
        progress(f"downloading the Temporal CLI (at most {DOWNLOAD_SECONDS_MAX:.0f} s)")
        result = await run_command(
            (sys.executable, "-m", "wiring.embedded.temporal_downloader", str(folder)),
            progress=progress,
            say=lambda seconds, _: f"downloading the Temporal CLI, {seconds} s",
            environment={"PYTHONPATH": str(_IMPORT_ROOT)},
            limit_seconds=DOWNLOAD_SECONDS_MAX,
        )
        return downloaded_cli(folder) or ("it took too long" if result.code is None else last_line(result.tail))


def downloaded_cli(folder: Path) -> Path | None:
    """Return the finished download in the folder; the SDK gives an unfinished one another suffix."""
    for candidate in sorted(folder.glob("temporal-*")):
        if candidate.is_file() and os.access(candidate, os.X_OK) and candidate.suffix != ".downloading":
            return candidate
    return None


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")
