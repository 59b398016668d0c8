"""How a sandbox container is made: its limits, its rights, and how the given files reach it."""

import io
import tarfile

from docker.types import LogConfig, Ulimit

from adapters.sandboxes.work_files import checked_name
from domain.sandbox import SandboxProfile

NOBODY = "65534:65534"
STDIN_NAME = ".standard-input"
"""The archive's last member in the work folder: the program reads it as its standard input."""
LABEL = "standfast.sandbox"
DEADLINE_LABEL = "standfast.sandbox.deadline"
"""Unix seconds after which no worker can still be waiting for this container, and any worker may remove it."""
UNPACK = f'tar -x -f - -C /work && exec "$@" <"/work/{STDIN_NAME}"'
OWNED = "rw,nosuid,nodev,uid=65534,gid=65534,mode=0700"
"""Owned by `nobody`, since runc gives such a mount the mode of the image's folder of that name, if there is one."""
OPEN_FILES_MAX = 256
BOOT_BYTES = 6 * 1024 * 1024
"""The least memory Docker accepts for a container (Docker run reference, --memory)."""


def container_options(profile: SandboxProfile, *, runtime: str | None, deadline_s: float) -> dict[str, object]:
    """Return the keywords of `containers.create` for a profile; every run has all of them."""
    memory_bytes = max(profile.memory_bytes, BOOT_BYTES)
    half = memory_bytes // 2
    return {
        "runtime": runtime,
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/work": f"{OWNED},size={half}", "/tmp": f"{OWNED},noexec,size={half}"},  # noqa: S108 (the container's own /tmp)
        "working_dir": "/work",
        "environment": {"HOME": "/work", "LANG": "C.UTF-8"},
        "user": NOBODY,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": memory_bytes,
        "memswap_limit": memory_bytes,
        "pids_limit": profile.pids,
        "nano_cpus": 1_000_000_000,
        "ulimits": [
            Ulimit(name="cpu", soft=max(1, int(profile.cpu_s) + 1), hard=max(1, int(profile.cpu_s) + 1)),
            Ulimit(name="nofile", soft=OPEN_FILES_MAX, hard=OPEN_FILES_MAX),
            Ulimit(name="core", soft=0, hard=0),
        ],
        "ipc_mode": "none",
        "log_config": LogConfig(type="none"),
        "stdin_open": True,
        "tty": False,
        "hostname": "sandbox",
        "labels": {LABEL: profile.name, DEADLINE_LABEL: str(int(deadline_s))},
        "entrypoint": ["/bin/sh", "-c", UNPACK, "sh"],
    }


def given_archive(files: dict[str, bytes], stdin: bytes) -> bytes:
    """Return the files and the standard input as a tar archive, world-readable and without owners of the host.

    Raises:
        InvalidInput: a name that leaves the work folder.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in [*((checked_name(name), content) for name, content in files.items()), (STDIN_NAME, stdin)]:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
