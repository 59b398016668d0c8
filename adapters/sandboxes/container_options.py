"""How a sandbox container is made: its limits, its rights, and how the given files reach it."""

import io
import shlex
import tarfile

from docker.types import LogConfig, Ulimit

from adapters.sandboxes.inner_network import ENVIRONMENT
from adapters.sandboxes.seccomp import docker_profile
from adapters.sandboxes.work_files import INODES_MAX, checked_name, disk_shares
from domain.sandbox import SandboxProfile

NOBODY = "65534:65534"
STDIN_NAME, COMMAND_NAME = ".standard-input", ".command"
"""The archive's last members in the work folder: what the program reads as its standard input, and the shell line that starts it."""
LABEL = "standfast.sandbox"
DEADLINE_LABEL = "standfast.sandbox.deadline"
"""Unix seconds after which no worker can still be waiting for this container, and any worker may remove it."""
UNPACK = f"tar -x -f - -C /work && . /work/{COMMAND_NAME}"
"""Waits for the archive, so a container may be started before its run is known."""
OWNED = f"rw,nosuid,nodev,uid=65534,gid=65534,mode=0700,nr_inodes={INODES_MAX}"
"""Owned by `nobody`, since runc gives such a mount the mode of the image's folder of that name, if there is one."""
OPEN_FILES_MAX = 256
BOOT_BYTES = 6 * 1024 * 1024
"""The least memory Docker accepts for a container (Docker run reference, --memory)."""


def container_options(profile: SandboxProfile, *, runtime: str | None, deadline_s: float) -> dict[str, object]:
    """Return the keywords of `containers.create` for a profile; every run has all of them."""
    memory_bytes = max(profile.memory_bytes, BOOT_BYTES)
    work, scratch = disk_shares(profile)
    network = profile.network == "allow"
    return {
        "runtime": runtime,
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/work": f"{OWNED},size={work}", "/tmp": f"{OWNED},noexec,size={scratch}"},  # noqa: S108 (the container's own /tmp)
        "working_dir": "/work",
        "environment": {"HOME": "/work", "LANG": "C.UTF-8", **(ENVIRONMENT if network else {})},
        "user": NOBODY,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={docker_profile(network=network)}"],
        "mem_limit": memory_bytes,
        "memswap_limit": memory_bytes,
        "pids_limit": profile.pids,
        "nano_cpus": round(profile.cpus * 1_000_000_000),
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
        "entrypoint": ["/bin/sh", "-c", UNPACK],
    }


def given_archive(files: dict[str, bytes], stdin: bytes, command: list[str]) -> bytes:
    """Return the files, the standard input and the command as a tar archive, world-readable and without owners of the host.

    Raises:
        InvalidInput: a name that leaves the work folder.
    """
    packed = io.BytesIO()
    line = f"exec {shlex.join(command)} </work/{STDIN_NAME}\n".encode("utf-8", errors="surrogateescape")
    given = [*((checked_name(name), content) for name, content in files.items()), (STDIN_NAME, stdin), (COMMAND_NAME, line)]
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in given:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
