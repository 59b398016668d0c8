"""Where the embedded PostgreSQL keeps its files: data below the state folder, socket in a folder with a short enough path."""

import hashlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"

SOCKET_PATH_BYTES_MAX = 103 if sys.platform == "darwin" else 107
"""The size of `sun_path` less the closing zero byte (104 on macOS, 108 on Linux)."""


class RuntimeFolderRefusedError(Exception):
    """The short runtime folder exists and belongs to somebody else or is open to others."""


@dataclass(frozen=True)
class PostgresFolders:
    """The folders of one embedded server.

    Attributes:
        data: The database cluster; exists once it is initialised.
        run: Holds the socket, mode 0700; below the state folder, or in `/tmp` when that path is too long for a socket.
        run_is_temporary: Whether `run` lies outside the state folder and goes away with the server.
    """

    data: Path
    run: Path
    run_is_temporary: bool

    @property
    def socket(self) -> Path:
        """The socket file."""
        return self.run / SOCKET_NAME

    @property
    def pid_file(self) -> Path:
        """PostgreSQL's own record of the running server; eight lines, the first its pid, the last its state."""
        return self.data / "postmaster.pid"


def folders_of(state_dir: Path, *, short_home: Path = Path("/tmp")) -> PostgresFolders:  # noqa: S108 - checked by make_private_folder
    """Choose the folders for a state folder; nothing is made.

    Args:
        state_dir: The state folder, such as `.standfast`.
        short_home: Where a short runtime folder may be made.
    """
    home = state_dir.resolve() / "postgres"
    run = home / "run"
    if len(os.fsencode(run / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX:
        return PostgresFolders(home / "data", run, run_is_temporary=False)
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return PostgresFolders(home / "data", short_home / f"standfast-{os.getuid()}-{digest}", run_is_temporary=True)


def make_private_folder(folder: Path, *, owner: int) -> None:
    """Make the folder with mode 0700 for `owner`, or check that it is so already.

    Args:
        folder: The folder; its parents are made too.
        owner: Numeric account the folder is given to; only root can give it to somebody else.

    Raises:
        RuntimeFolderRefusedError: When it is a link, no folder, or belongs to an account other than ours and `owner`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.getuid(), owner}:
        raise RuntimeFolderRefusedError(f"{folder} is not a folder of this account; remove it, or choose another state folder")
    folder.chmod(0o700)
    if found.st_uid != owner:
        os.chown(folder, owner, -1)
