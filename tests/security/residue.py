"""Makes many runs in a sandbox backend and says what they left behind: processes, folders, containers, descriptors.

    python -m tests.security.residue [docker ...] [--runs 1000]

PROOF B22. It is a process of its own: whatever appears among its descriptors, its children and in its folder for temporary files is the
sandboxes'. Exit code 1 when something is left.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path

from adapters.sandboxes.cgroup import PREFIX, own_group
from adapters.sandboxes.container_options import LABEL
from adapters.sandboxes.docker_engine import DEFAULT_URL, connect
from tests.contracts.sandbox_subjects import KINDS, Subject, subject_of
from tests.facilities import docker_url, reason_missing

RUNS = 1000
"""PROOF B22."""
AT_ONCE = 5
WAIT_S = 60.0
"""How long something that is on its way out may still be there on a machine that is busy; `make bench` measures how long it takes."""
PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h: orphans below this process become its children, so none gets out of sight."""


def processes(mark: str) -> set[str]:
    """Return what lives below this process, and what has the mark in its command line, whoever is its parent."""
    found: set[str] = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            with suppress(OSError, IndexError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if mark in line or (parent == str(os.getpid()) and not _reaped(state, int(folder.name))):
                    found.add(f"{folder.name} {line[:200]}")
    return found


def _reaped(state: str, pid: int) -> bool:
    """Bury a dead orphan, as init would have done."""
    if state != "Z":
        return False
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True


def containers(mark: str) -> set[str]:
    """Return the containers with the mark."""
    try:
        client = connect(docker_url() or DEFAULT_URL)
    except OSError:
        return set()
    try:
        found = client.containers.list(all=True, filters={"label": f"{LABEL}={mark}"}, ignore_removed=True)
        return {str(container.attrs.get("Id")) for container in found}
    finally:
        client.close()


def descriptors() -> set[str]:
    """Return what this process has open; sockets and pipes are told apart by their inodes."""
    gc.collect()
    found: set[str] = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(f"{link.name} {link.readlink()}")
    return found


def residue(mark: str) -> dict[str, set[str]]:
    """Return everything that runs under a mark could leave on the host."""
    group = own_group()
    return {
        "processes": processes(mark),
        "folders": {str(path) for path in (*Path(tempfile.gettempdir()).iterdir(), *(group.glob(f"{PREFIX}*") if group else ()))},
        "containers": containers(mark),
        "descriptors": descriptors(),
    }


async def run(subject: Subject, mark: str, number: int) -> str:
    """Make one run and return how it ended: some end well, some fail, some break a limit, some are cancelled on the way."""
    language = subject.language
    source = (language.greets, language.fails, language.writes_left, language.floods, language.greets_then_sleeps)[number % 5]
    profile, files = subject.profile.model_copy(update={"name": mark}), {"main.py": language.compiled(source), mark: b""}
    task = asyncio.create_task(subject.sandbox.run(profile, list(language.command), files=files))
    if number % 5 == 4:
        await asyncio.wait({task}, timeout=0.02 * (number % 7))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return "cancelled"
    result = await task
    return f"{result.ended} {result.exit_code}"


async def made(name: str, runs: int, *, plant: bool) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Make the runs; return how they ended, and what is there afterwards and was not before, by kind."""
    mark = f"residue-{secrets.token_hex(8)}"
    async with subject_of(name) as subject:
        await run(subject, mark, 0)
    before = residue(mark)
    async with subject_of(name) as subject:
        numbers = iter(range(runs))
        ends = await asyncio.gather(*(_some(subject, mark, numbers) for _ in range(AT_ONCE)))
    ends_s = time.monotonic() + (0 if plant else WAIT_S)
    with planted() if plant else nullcontext():
        while True:
            now = await asyncio.to_thread(residue, mark)
            new = {kind: sorted(found - before[kind]) for kind, found in now.items()}
            if not any(new.values()) or time.monotonic() > ends_s:
                return dict(sorted(Counter(chain.from_iterable(ends)).items())), new
            await asyncio.sleep(0.05)


async def _some(subject: Subject, mark: str, numbers: Iterator[int]) -> list[str]:
    return [await run(subject, mark, number) for number in numbers]


def say(**told: object) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


@contextmanager
def planted() -> Generator[None]:
    """Have an orphan, a folder and a descriptor there while somebody looks."""
    told = subprocess.run(["sh", "-c", "sleep 600 >/dev/null & echo $!"], check=True, stdout=subprocess.PIPE, start_new_session=True)
    with tempfile.TemporaryDirectory(), Path(os.devnull).open("rb"):
        try:
            yield
        finally:
            os.kill(int(told.stdout), signal.SIGKILL)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.residue", description=(__doc__ or "").splitlines()[0])
    kinds = [name for name in KINDS if name != "the fake"]
    parser.add_argument("backends", nargs="*", default=kinds, help=f"of {', '.join(kinds)}; all by default")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--plant", action="store_true", help="have something there when the looking begins, and do not wait for its end")
    return parser.parse_args()


def main() -> None:
    """Print one line of JSON a backend."""
    chosen = options()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="standfast-residue-") as folder:
        Path(folder).chmod(0o755)  # sandboxes are `nobody`
        tempfile.tempdir = folder
        dirty = False
        for name in chosen.backends:
            needed = KINDS[name].needs
            if needed is not None and (reason := reason_missing(needed)) is not None:
                say(backend=name, skipped=reason)
                continue
            began_s = time.monotonic()
            ends, found = asyncio.run(made(name, chosen.runs, plant=chosen.plant))
            dirty = dirty or any(found.values())
            seconds = round(time.monotonic() - began_s, 1)
            say(backend=name, runs=chosen.runs, seconds=seconds, ends=ends, left=found)
    sys.exit(1 if dirty else 0)


if __name__ == "__main__":
    main()
