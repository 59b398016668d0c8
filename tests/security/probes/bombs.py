"""Loud probes: each takes far more than a sandbox grants, and says `ESCAPED` when it was let. Bounded, so that the control survives them.

python3 bombs.py NAME[,NAME...] SECONDS

Those that take time take at least as many seconds.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MIB = 1024 * 1024
BOMBS: dict[str, Callable[[], object]] = {}


def seconds() -> float:
    """Return how long a bomb holds what it took."""
    return float(sys.argv[2])


def bomb(function: Callable[[], object]) -> Callable[[], object]:
    """Register a bomb; what it returns says whether it was let."""
    BOMBS[function.__name__] = function
    return function


@bomb
def forks() -> object:
    started = 0
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(seconds())
            os._exit(0)
        started += 1
    return started == 200


@bomb
def memory() -> object:
    held = [bytearray(os.urandom(1024) * 1024) for _ in range(300)]
    return len(held)


@bomb
def memory_of_many_processes() -> object:
    # Each stays below the limit; together they are far above it.
    children = [
        subprocess.Popen([sys.executable, "-c", f"x = bytearray(b'y') * {48 * MIB}; import time; time.sleep({seconds()})"])
        for _ in range(6)
    ]
    return all(child.wait() == 0 for child in children)


@bomb
def disk_in_the_work_folder() -> object:
    return _filled(Path("big"))


@bomb
def disk_in_the_scratch_folder() -> object:
    return _filled(Path("/tmp", f"big-{os.getpid()}"))  # noqa: S108 (where a program would write)


@bomb
def many_files() -> object:
    for number in range(30_000):
        Path(f"f{number}").touch()
    time.sleep(seconds())
    return True


@bomb
def output() -> object:
    for _ in range(200):
        os.write(1, b"x" * 100_000)
    return True


@bomb
def processor() -> object:
    ends = time.monotonic() + seconds()
    while time.monotonic() < ends:
        pass
    return True


@bomb
def processors_in_turn() -> object:
    # Each process ends before its own limit; the sum is what counts.
    for _ in range(int(seconds()) + 1):
        subprocess.run(
            [sys.executable, "-c", "import time; e = time.process_time() + 0.5\nwhile time.process_time() < e: pass"], check=True
        )
    return True


@bomb
def deafness() -> object:
    import signal  # noqa: PLC0415 - only this bomb wants it

    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_IGN)
    time.sleep(seconds())
    return True


@bomb
def orphan() -> object:
    # Leaves a daemon behind that holds neither its parent nor its session nor its output.
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        silent = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(silent, descriptor)
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(900)", "standfast-orphan"])  # noqa: S606 - that is the probe
    return True


@bomb
def descriptors() -> object:
    return len([os.open(os.devnull, os.O_RDONLY) for _ in range(1000)])


def _filled(place: Path) -> bool:
    """Whether 300 MiB fit."""
    try:
        with place.open("wb") as file:
            for _ in range(300):
                file.write(bytes(MIB))
        return place.stat().st_size == 300 * MIB
    finally:
        place.unlink(missing_ok=True)


def _came_of(name: str) -> str:
    """Run one and say what came of it."""
    try:
        return "ESCAPED" if BOMBS[name]() else "held"
    except (OSError, MemoryError) as error:
        return f"held: {error}"


if __name__ == "__main__":
    for NAME in sys.argv[1].split(","):
        sys.stdout.write(f"{_came_of(NAME)}\n")
