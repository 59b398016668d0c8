"""The one secret file of an installation: 32 random bytes as base64 on one line, mode 0600. Does file I/O, nothing else.

Losing it loses every stored payload; the ledger stays verifiable, since it holds digests.
"""

import base64
import binascii
import os
import secrets
import tempfile
from pathlib import Path

from adapters.codec.data_keys import KEY_BYTES
from domain.errors import InvalidInput


def load_or_create_master_key(path: Path) -> bytes:
    """Return the key in `path`, making it first when the file is absent; processes that start together agree on one key.

    Raises:
        InvalidInput: others may read the file, or it is no key.
    """
    if not path.exists():
        _create(path)
    return load_master_key(path)


def load_master_key(path: Path) -> bytes:
    """Return the key in `path`.

    Raises:
        InvalidInput: the file is absent, others may read it, or it is no key.
    """
    try:
        found, text = path.stat(), path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the master key {path} cannot be read: {error}") from error
    if others_may_read(found):
        raise InvalidInput(f"others may read the master key {path}: run `chmod 600 {path}`")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise InvalidInput(f"the master key {path} is not base64") from error
    if len(key) != KEY_BYTES:
        raise InvalidInput(f"the master key {path} holds {len(key)} bytes, not {KEY_BYTES}: restore it from your backup")
    return key


def others_may_read(found: os.stat_result) -> bool:
    """Whether the file is open to more than its owner; a mounted secret belongs to root, and the process reads it through its group."""
    return bool(found.st_mode & (0o077 if found.st_uid == os.getuid() else 0o037))


def _create(path: Path) -> None:
    """Write a new key; a key that another process wrote meanwhile wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hard link appears whole or not at all and never replaces a file, unlike open-then-write and rename.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".master-key-")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
