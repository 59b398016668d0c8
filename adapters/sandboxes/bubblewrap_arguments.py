"""What a bubblewrap sandbox sees: its mounts, its environment, its limits, as arguments of bwrap and prlimit."""

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from adapters.sandboxes.inner_network import ENVIRONMENT
from adapters.sandboxes.work_files import checked_name, disk_shares
from domain.sandbox import SandboxProfile

NOBODY = 65534
"""The user and group inside, and outside too when the platform runs as root (Debian base-passwd: nobody, nogroup)."""
ADDRESS_SPACE_BYTES = 512 * 1024 * 1024
"""Room above twice the memory limit for what a process maps and never touches; the watch weighs what it does touch."""
OPEN_FILES_MAX = 256
PRLIMIT = "/usr/bin/prlimit"
"""Part of util-linux; the same path inside and outside."""
PROBE = SandboxProfile(name="probe", backend="bubblewrap")
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
"""The only files of /etc inside: what the loader and links under /usr need; nothing names users, hosts or keys."""


@contextmanager
def in_memory(content: bytes) -> Generator[int]:
    """Hold bytes in memory under a descriptor that a child reads from its beginning; nothing touches the host's disk."""
    descriptor = os.memfd_create("given", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as copy:
            copy.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def given_files(files: dict[str, bytes]) -> Generator[dict[str, int]]:
    """Hold each file in memory under a descriptor that bwrap copies from.

    Raises:
        InvalidInput: a name that leaves the work folder.
    """
    with ExitStack() as held:
        yield {checked_name(name): held.enter_context(in_memory(content)) for name, content in files.items()}


def bwrap_arguments(profile: SandboxProfile, placed: dict[str, int], seccomp: int) -> list[str]:
    """Return bwrap's arguments up to the program, which runs under prlimit; `seccomp` is the descriptor of the filter."""
    work, scratch = disk_shares(profile)
    arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    arguments += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--cap-drop", "ALL", "--hostname", "sandbox"]
    arguments += _system()
    arguments += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    arguments += ["--size", str(scratch), "--tmpfs", "/tmp", "--size", str(work), "--tmpfs", "/work"]  # noqa: S108 (the sandbox's own /tmp)
    for name, descriptor in placed.items():
        for folder in reversed(PurePosixPath(name).parents[:-1]):
            arguments += ["--dir", f"/work/{folder}"]
        arguments += ["--perms", "0644", "--file", str(descriptor), f"/work/{name}"]
    arguments += ["--remount-ro", "/", "--chdir", "/work", "--clearenv", "--seccomp", str(seccomp)]
    for name, value in (_environment() | (ENVIRONMENT if profile.network == "allow" else {})).items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--", PRLIMIT, *_limits(profile)]


def _system() -> list[str]:
    """Return the read-only view of the machine's programs: /usr, the loader's files, and the interpreter this process runs on."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in MERGED:
        path = Path("/") / name
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for name in ETC:
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    interpreter = _own_interpreter()
    if interpreter is not None:
        arguments += ["--ro-bind", str(interpreter), "/python"]
    return arguments


def _own_interpreter() -> Path | None:
    """Return the folder of the CPython behind the virtual environment, unless /usr has it or `nobody` could not enter it."""
    folder = Path(sys.base_prefix).resolve()
    if folder.is_relative_to("/usr"):
        return None
    closed = os.geteuid() == 0 and any(not each.stat().st_mode & 0o001 for each in (folder, *folder.parents))
    return None if closed else folder


def _environment() -> dict[str, str]:
    """Return the whole environment inside."""
    path = "/usr/local/bin:/usr/bin:/bin"
    if _own_interpreter() is not None:
        path = f"/python/bin:{path}"
    return {"PATH": path, "HOME": "/work", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}  # noqa: S108 (as above)


def _limits(profile: SandboxProfile) -> list[str]:
    """Return prlimit's arguments; they hold for each process and cannot be raised inside."""
    return [
        f"--nproc={profile.pids}",
        f"--as={2 * profile.memory_bytes + ADDRESS_SPACE_BYTES}",
        f"--cpu={max(1, int(profile.cpu_s) + 1)}",
        f"--fsize={profile.disk_bytes}",
        f"--nofile={OPEN_FILES_MAX}",
        "--core=0",
    ]
