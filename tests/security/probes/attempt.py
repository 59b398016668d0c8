"""What the probes share: a table of attempts, system calls by number, and a child process for each attempt. Runs inside sandboxes.

Only the standard library, since it is given to a sandbox as a file beside the probes.
"""

import ctypes
import json
import os
import platform
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

Outside = dict[str, str]
"""What the test tells the probes of the host: addresses, paths, names."""
Attempt = Callable[[Outside], object]
ATTEMPTS: dict[str, Attempt] = {}
SECONDS = 3
ESCAPED, HELD = 0, 1

NUMBERS = {
    "x86_64": {
        "ptrace": 101, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "add_key": 248, "mount": 165,
        "unshare": 272, "clone": 56, "setns": 308, "chroot": 161, "name_to_handle_at": 303, "open_by_handle_at": 304, "sethostname": 170,
        "syslog": 103, "fanotify_init": 300, "process_vm_readv": 310, "fsopen": 430,
    },
    "aarch64": {
        "ptrace": 117, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425, "add_key": 217, "mount": 40,
        "unshare": 97, "clone": 220, "setns": 268, "chroot": 51, "name_to_handle_at": 264, "open_by_handle_at": 265, "sethostname": 161,
        "syslog": 116, "fanotify_init": 262, "process_vm_readv": 270, "fsopen": 430,
    },
}  # fmt: skip
"""System calls by number (arch/*/entry/syscalls), so that no library stands between the probe and the kernel."""


def attempt(function: Attempt) -> Attempt:
    """Register a probe: it returns something true when it reached what it must not, else nothing, or raises OSError."""
    ATTEMPTS[function.__name__] = function
    return function


def call(name: str, *arguments: object) -> int:
    """Make a system call.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    # A bare int is passed as 32 bits, and the kernel reads 64.
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(libc.syscall(ctypes.c_long(NUMBERS[platform.machine()][name]), *words))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def succeeds(name: str, *arguments: object) -> bool:
    """Whether a system call is granted; a descriptor it gives stays open until the child ends."""
    return call(name, *arguments) >= 0


def main() -> None:
    """Read what is outside, try everything, tell what came of it."""
    outside: Outside = json.load(sys.stdin)
    wanted = sys.argv[1:] or list(ATTEMPTS)
    sys.stdout.write(json.dumps({name: _tried(name, outside) for name in wanted}) + "\n")


def _tried(name: str, outside: Outside) -> str:
    """Run one attempt in a child of its own; "escaped", "held", or how the child died (which counts as held)."""
    child = os.fork()
    if child == 0:
        _child(ATTEMPTS[name], outside)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {ESCAPED: "escaped", HELD: "held"}.get(code, f"held, the child died with {code}")


def _child(function: Attempt, outside: Outside) -> NoReturn:
    """Try, and end with what came of it."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    code = HELD
    try:
        code = ESCAPED if function(outside) else HELD
    except BaseException:  # noqa: BLE001 - whatever stops the attempt has held it
        code = HELD
    finally:
        os._exit(code)
