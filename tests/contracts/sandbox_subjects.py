"""The sandboxes of the conformance suite, each with the same programs in its own language."""

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import wasmtime

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.select import ProbedSandbox
from adapters.sandboxes.wasm import WasmSandbox
from domain.sandbox import MIB, SandboxProfile
from tests.contracts import wasm_programs
from tests.facilities import Facility, docker_sandbox, require
from tests.fake_sandbox import FakeSandbox

TEST_IMAGE = "standfast-test:busybox"
"""Made by `.ci/build-test-image.sh`."""


@dataclass(frozen=True)
class Language:
    """How a program is started, and the programs by what they do; `compiled` makes of a source what the sandbox is given."""

    command: tuple[str, ...]
    greets: str
    warns: str
    shows_data: str
    writes_left: str
    shows_left: str
    fails: str
    shows_environment: str
    loops: str
    sleeps: str
    eats: str
    floods: str
    greets_then_sleeps: str
    compiled: Callable[[str], bytes] = str.encode


@functools.cache
def module_of(source: str) -> bytes:
    """Compile the text of a WebAssembly module."""
    return bytes(wasmtime.wat2wasm(source))


PYTHON_EATS = "held = []\nwhile True:\n    held.append('x' * 100000 + str(len(held)))\n"
SHOWS_LEFT = "try:\n    print(open('left.txt').read())\nexcept OSError:\n    print('nothing')\n"
PYTHON = Language(
    command=("python3", "main.py"),
    greets="print('hello')",
    warns="import sys\nprint('careful', file=sys.stderr)",
    shows_data="print(open('data.txt').read())",
    writes_left="open('left.txt', 'w').write('written')",
    shows_left=SHOWS_LEFT,
    fails="raise ValueError('wrong sum')",
    shows_environment="import os\nprint(dict(os.environ))",
    loops="while True:\n    pass",
    sleeps="import time\nfor _ in range(100):\n    time.sleep(9)",
    eats=PYTHON_EATS,
    floods="while True:\n    print('x' * 1000000)",
    greets_then_sleeps="import time\nprint('hello', flush=True)\nfor _ in range(100):\n    time.sleep(9)",
)
SHELL = Language(
    command=("sh", "main.py"),
    greets="echo hello",
    warns="echo careful >&2",
    shows_data="cat data.txt",
    writes_left="echo written > left.txt",
    shows_left="cat left.txt 2>/dev/null || echo nothing",
    fails="echo wrong sum >&2; exit 1",
    shows_environment="env",
    loops="while true; do :; done",
    sleeps="sleep 900",
    eats="held=x; while true; do held=$held$held; done",
    floods="yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    greets_then_sleeps="echo hello; sleep 900",
)
WASM = Language(
    command=("main.py",),
    greets=wasm_programs.says("hello"),
    warns=wasm_programs.says("careful", fd=2),
    shows_data=wasm_programs.shows("data.txt"),
    writes_left=wasm_programs.writes("left.txt", "written"),
    shows_left=wasm_programs.shows("left.txt", "nothing"),
    fails=wasm_programs.FAILS,
    shows_environment=wasm_programs.ENVIRONMENT,
    loops=wasm_programs.LOOPS,
    sleeps=wasm_programs.SLEEPS,
    eats=wasm_programs.EATS,
    floods=wasm_programs.FLOODS,
    greets_then_sleeps=wasm_programs.GREETS_THEN_SLEEPS,
    compiled=module_of,
)
FAKE = Language(
    command=("fake", "main.py"),
    greets="print hello",
    warns="warn careful",
    shows_data="show data.txt",
    writes_left="write left.txt",
    shows_left="show left.txt",
    fails="warn wrong sum\nfail 1",
    shows_environment="environment",
    loops="loop",
    sleeps="sleep",
    eats="eat",
    floods="flood",
    greets_then_sleeps="print hello\nsleep",
)


@dataclass(frozen=True)
class Subject:
    """One sandbox under test."""

    sandbox: ProbedSandbox
    language: Language
    profile: SandboxProfile
    limits_memory: bool = True
    networked: bool = False


@dataclass(frozen=True)
class Kind:
    """How to make a subject, and what the machine must have for it."""

    make: Callable[[], ProbedSandbox]
    language: Language
    profile: SandboxProfile
    needs: Facility | None = None
    limits_memory: bool = True
    networked: bool = False


BASE = SandboxProfile(
    name="small", backend="monty", wall_s=60.0, cpu_s=20.0, memory_bytes=64 * MIB, disk_bytes=32 * MIB, pids=16, output_bytes=10_000
)
"""Time enough for any program that ends, on a machine that is busy; a test of the limits on time sets its own."""
CONTAINER = BASE.model_copy(update={"backend": "docker", "image": TEST_IMAGE})
KINDS = {
    "monty": Kind(MontySandbox, PYTHON, BASE),
    "bubblewrap": Kind(BubblewrapSandbox, PYTHON, BASE.model_copy(update={"backend": "bubblewrap"}), needs="bubblewrap", networked=True),
    "docker": Kind(docker_sandbox, SHELL, CONTAINER, needs="docker", networked=True),
    "gvisor": Kind(
        lambda: docker_sandbox("runsc"), SHELL, CONTAINER.model_copy(update={"backend": "gvisor"}), needs="runsc", limits_memory=False
    ),
    "wasm": Kind(WasmSandbox, WASM, BASE.model_copy(update={"backend": "wasm"})),
    "the fake": Kind(FakeSandbox, FAKE, BASE),
}


@asynccontextmanager
async def subject_of(name: str) -> AsyncGenerator[Subject]:
    """Make one subject and close it; skips when the machine lacks what it needs."""
    kind = KINDS[name]
    if kind.needs is not None:
        require(kind.needs)
    sandbox = kind.make()
    try:
        yield Subject(sandbox, kind.language, kind.profile, kind.limits_memory, kind.networked)
    finally:
        await sandbox.aclose()
