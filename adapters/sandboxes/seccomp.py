"""The system-call filter of sandboxes: as a BPF program for bubblewrap, and as a profile for Docker, from one list of names."""

import errno
import functools
import json
import os
import tempfile
from typing import IO, Protocol, cast

from adapters.sandboxes.seccomp_names import ALLOWED, NEW_NAMESPACES, PERSONALITIES, socket_families

INSTALL = "install libseccomp (`apt-get install libseccomp2`)"
OPTIMIZE_TREE = 2
"""libseccomp SCMP_FLTATR_CTL_OPTIMIZE: a binary tree instead of a chain, so that a call costs a few comparisons."""
ALLOW = 0x7FFF0000
"""linux/seccomp.h: SECCOMP_RET_ALLOW."""
STATUS_NO_SYSCALL = errno.ENOSYS
"""What a forbidden call answers: as a kernel that lacks it, so that programs take their older way."""


class SeccompUnavailableError(Exception):
    """libseccomp is not here; the text says how to get it."""


class _Filter(Protocol):
    """What is used of `pyseccomp.SyscallFilter`."""

    def add_rule(self, action: int, syscall: str, *args: object) -> None:
        """Add one rule."""
        ...

    def set_attr(self, attr: int, value: int) -> None:
        """Set an attribute of the filter."""
        ...

    def export_bpf(self, file: IO[bytes]) -> None:
        """Write the program to a file."""
        ...


@functools.cache
def bpf_program(*, network: bool) -> bytes:
    """Return the filter for this machine's architecture; calls of any other architecture (32 bits, x32) end the process.

    Raises:
        SeccompUnavailableError: libseccomp is missing or refuses.
    """
    try:
        # Late on purpose: importing it fails where libseccomp is not installed.
        import pyseccomp  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs] - it has annotations and no marker for them
    except (ImportError, RuntimeError, OSError) as error:
        raise SeccompUnavailableError(f"the system-call filter cannot be made ({error}): {INSTALL}") from error
    made = cast("_Filter", pyseccomp.SyscallFilter(pyseccomp.ERRNO(STATUS_NO_SYSCALL)))
    try:
        made.set_attr(pyseccomp.Attr.CTL_OPTIMIZE, OPTIMIZE_TREE)
        for name in ALLOWED:
            _allow(made, name)
        _allow(made, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, NEW_NAMESPACES, 0))
        for personality in PERSONALITIES:
            _allow(made, "personality", pyseccomp.Arg(0, pyseccomp.EQ, personality))
        for family in socket_families(network=network):
            _allow(made, "socket", pyseccomp.Arg(0, pyseccomp.EQ, family))
        with tempfile.TemporaryFile() as file:
            made.export_bpf(file)
            return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
    except OSError as error:
        raise SeccompUnavailableError(f"libseccomp refuses the system-call filter ({error}): {INSTALL}") from error


def _allow(made: _Filter, name: str, *arguments: object) -> None:
    """Allow one call; a name that this version of libseccomp does not know yet stays forbidden.

    Raises:
        OSError: libseccomp has no memory, or no such rule.
    """
    try:
        made.add_rule(ALLOW, name, *arguments)
    except OSError as error:
        if error.errno not in (errno.EFAULT, errno.EINVAL, errno.EDOM):
            raise


def docker_profile(*, network: bool) -> str:
    """Return the same filter as Docker's JSON (moby profiles/seccomp), which its daemon translates for its architecture."""
    socket_rules = [_docker_rule("socket", index=0, value=family) for family in socket_families(network=network)]
    personalities = [_docker_rule("personality", index=0, value=each) for each in PERSONALITIES]
    clone = {
        "names": ["clone"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
    }
    everything = {"names": list(ALLOWED), "action": "SCMP_ACT_ALLOW"}
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": STATUS_NO_SYSCALL,
            "syscalls": [everything, clone, *socket_rules, *personalities],
        }
    )


def _docker_rule(name: str, *, index: int, value: int) -> dict[str, object]:
    """Return a rule that allows a call with one value of one argument."""
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [{"index": index, "value": value, "op": "SCMP_CMP_EQ"}]}
