"""Files of a sandbox: their names, which are relative, inside the work folder and free of tricks, and the room they have."""

import re
from pathlib import PurePosixPath

from domain.errors import InvalidInput
from domain.sandbox import SandboxProfile

INODES_MAX = 20_000
"""Files and folders in each of /work and /tmp: a million empty files would take a gigabyte of the host's memory."""

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\Z")
"""A name that needs no closer look: one part, and no dot at its beginning."""


def checked_name(name: str) -> str:
    """Return the name in plain form.

    Raises:
        InvalidInput: it is empty, absolute, climbs with `..`, or holds a NUL.
    """
    if PLAIN.match(name):
        return name
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise InvalidInput(f"the file name {name!r} must be relative and stay in the work folder", where="/files")
    return str(path)


def disk_shares(profile: SandboxProfile) -> tuple[int, int]:
    """Return how many bytes of `disk_bytes` are for `/work` and how many for `/tmp`: three quarters and one."""
    scratch = profile.disk_bytes // 4
    return profile.disk_bytes - scratch, scratch
