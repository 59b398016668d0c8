"""A program of its own: runs one WebAssembly module under wasmtime, then ends. It is a process so that it can be killed.

    python -I wasm_runner.py DESCRIPTOR

It gives up its rights before it reads the job: a length (4 bytes, big-endian) and JSON on the descriptor. The module has its standard
streams, the work folder as `/work` and nothing else of the machine. How it ended goes back over the descriptor as one line of JSON.
"""

import ctypes
import json
import os
import resource
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import NoReturn, TypedDict, cast

import wasmtime

NOBODY = 65534
LENGTH = struct.Struct(">I")
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
"""linux/prctl.h, linux/seccomp.h."""
BPF_INSTRUCTION_BYTES = 8
GROWTH_BYTES = 1024 * 1024
"""Room above the memory limit, by which a module that grew beyond it is told from one that just fits."""
TABLE_ELEMENTS_MAX = 1_000_000
STACK_BYTES = 1024 * 1024
OPEN_FILES_MAX = 256
CANNOT_RUN, TRAPPED = 126, 134
"""Exit codes as a shell gives them: what cannot be executed, and what was aborted (128 + SIGABRT)."""
STOPPED = (wasmtime.TrapCode.OUT_OF_FUEL, wasmtime.TrapCode.INTERRUPT)


class Job(TypedDict):
    """What is to run: `module` and `folder` are paths, `seccomp` is a BPF program as hex, or empty."""

    module: str
    folder: str
    argv: list[str]
    fuel: int
    wall_s: float
    cpu_s: float
    memory_bytes: int
    disk_bytes: int
    seccomp: str


class _Program(ctypes.Structure):
    """linux/filter.h: struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def main(channel: int) -> NoReturn:
    """Wait for a job, run it, say how it ended."""
    with socket.socket(fileno=channel) as parent:
        _drop_rights()
        size = _exactly(parent, LENGTH.size)
        job = cast("Job", json.loads(_exactly(parent, LENGTH.unpack(size)[0])))
        _limit(job)
        if job["seccomp"]:
            _filter(bytes.fromhex(job["seccomp"]))
        ended, code, said = _run(job)
        parent.sendall(json.dumps({"ended": ended, "code": code, "said": said}).encode() + b"\n")
    os._exit(0)


def _drop_rights() -> None:
    """Become nobody, if root, and never gain anything again."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os.chdir("/")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _limit(job: Job) -> None:
    """Set this process's own limits."""
    cpu_s = max(1, int(job["cpu_s"]) + 1)
    for kind, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, job["disk_bytes"]),
        (resource.RLIMIT_NOFILE, OPEN_FILES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _filter(program: bytes) -> None:
    """Allow only the listed system calls from here on.

    Raises:
        OSError: the kernel refuses the filter.
    """
    held = ctypes.create_string_buffer(program, len(program))
    given = _Program(len(program) // BPF_INSTRUCTION_BYTES, ctypes.cast(held, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(given), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses the system-call filter")


def _run(job: Job) -> tuple[str, int, str]:
    """Return how the module ended, its exit code, and what to add to its standard error."""
    config = wasmtime.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.parallel_compilation = False
    config.wasm_threads = False
    config.max_wasm_stack = STACK_BYTES
    engine = wasmtime.Engine(config)
    stop = threading.Timer(job["wall_s"], engine.increment_epoch)
    stop.daemon = True
    stop.start()
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=job["memory_bytes"] + GROWTH_BYTES, table_elements=TABLE_ELEMENTS_MAX, instances=4, tables=4, memories=1)
    store.set_fuel(job["fuel"])
    store.set_epoch_deadline(1)
    store.set_wasi(_wasi(job))
    try:
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        instance = linker.instantiate(store, wasmtime.Module(engine, Path(job["module"]).read_bytes()))
        start = instance.exports(store)["_start"]
    except (wasmtime.WasmtimeError, wasmtime.Trap, KeyError) as error:
        return "exit", CANNOT_RUN, f"this module cannot run: {error}"
    ended, code, said = _started(store, start)
    memory = instance.exports(store).get("memory")
    if isinstance(memory, wasmtime.Memory) and memory.data_len(store) > job["memory_bytes"]:
        return "memory", code, said
    return ended, code, said


def _started(store: wasmtime.Store, start: object) -> tuple[str, int, str]:
    """Call `_start` and return how it ended."""
    if not isinstance(start, wasmtime.Func):
        return "exit", CANNOT_RUN, "this module cannot run: its export _start is no function"
    try:
        start(store)
    except wasmtime.ExitTrap as exited:
        return "exit", exited.code, ""
    except wasmtime.Trap as trap:
        return "timeout" if trap.trap_code in STOPPED else "exit", TRAPPED, str(trap)
    except wasmtime.WasmtimeError as error:
        return "exit", TRAPPED, str(error)
    return "exit", 0, ""


def _wasi(job: Job) -> wasmtime.WasiConfig:
    """Return what the module sees: its arguments, its three streams, and the work folder; no environment."""
    wasi = wasmtime.WasiConfig()
    wasi.argv = job["argv"]
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    wasi.preopen_dir(job["folder"], "/work")
    return wasi


def _exactly(parent: socket.socket, size: int) -> bytes:
    """Return `size` bytes; a parent that is gone ends this process."""
    read = b""
    while len(read) < size:
        chunk = parent.recv(size - len(read))
        if not chunk:
            os._exit(0)
        read += chunk
    return read


if __name__ == "__main__":
    main(int(sys.argv[1]))
