"""Runs a command as an ordinary account when we are root, because PostgreSQL refuses to run as root (Linux only).

Run as a script: `unprivileged.py UID GID PROGRAM ARGUMENT...`; it becomes the program, so the process id stays.
It imports the standard library only and starts in isolated mode, which takes about 20 ms.

The state folder has mode 0700, so the account could not even walk to its data. Opening the folder to everybody, as some
packages do, would also open the keys that lie in it. Instead the program keeps one capability, reading and walking past
permission bits, and still writes only where the account may write.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
"""Numbers from Linux's include/uapi/linux/prctl.h and capability.h; containers often lack DAC_READ_SEARCH and have DAC_OVERRIDE."""


def choose_capability(effective: int) -> int | None:
    """Return the weakest capability in the bit set that lets a process walk through folders of mode 0700."""
    return next((number for number in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if effective >> number & 1), None)


def effective_capabilities(status_lines: Iterable[str]) -> int:
    """Return the effective set out of the lines of `/proc/self/status`; 0 when it is not named."""
    return next((int(line.split()[1], 16) for line in status_lines if line.startswith("CapEff:")), 0)


def drop_to(uid: int, gid: int, capability: int | None) -> None:
    """Become the account for good, keeping `capability` across the next exec.

    Raises:
        OSError: When the kernel refuses a step.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if capability is None:
        return
    bits = 1 << capability
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    sets = struct.pack("=6I", bits, bits, bits, 0, 0, 0)
    _check(libc.capset(header, sets))
    _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(arguments: list[str]) -> None:
    """Become the account, then the program."""
    uid, gid, *command = arguments
    with Path("/proc/self/status").open(encoding="ascii") as status:
        capability = choose_capability(effective_capabilities(status))
    drop_to(int(uid), int(gid), capability)
    os.execv(command[0], command)  # noqa: S606 - becoming another program is this script's purpose


if __name__ == "__main__":
    main(sys.argv[1:])
