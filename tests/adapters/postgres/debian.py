"""Debian's PostgreSQL 15 on a socket of its own: the oldest version we promise (DESIGN §15)."""

import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg

BINARIES = Path("/usr/lib/postgresql/15/bin")


def _user() -> str | None:
    """Return whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
            continue
        return
    raise TimeoutError("PostgreSQL 15 did not answer in 30 s")


@contextmanager
def debian_postgres() -> Generator[str]:
    """Run a server on a new folder and yield its superuser's URL; stopped and removed at the end."""
    user = _user()
    with tempfile.TemporaryDirectory(prefix="standfast-pg15-") as folder:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        data = f"{folder}/data"
        initdb = [BINARIES / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(initdb, user=user, check=True, capture_output=True, cwd=folder)
        argv = [BINARIES / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50"]
        process = subprocess.Popen(argv, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"postgresql://postgres@/postgres?host={folder}"
            _wait_ready(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
