"""A real PostgreSQL 18 as a child process of ours: initialised once, reached over a socket only this account can open.

It listens on no TCP port. Trust is given to whoever opens the socket, and the folder of the socket has mode 0700.
"""

import asyncio
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from wiring.embedded.cache import Progress
from wiring.embedded.log_tail import end_of_log
from wiring.embedded.postgres_folders import PostgresFolders, folders_of, make_private_folder
from wiring.embedded.postgres_programs import Account, PostgresUnavailableError, choose_account, programs_folder, run_program
from wiring.embedded.processes import command_line, process_identity, stop_process

DATABASE = "standfast"
SUPERUSER = "postgres"
STOP_SIGNAL = signal.SIGINT
"""PostgreSQL's fast shutdown: clients are cut off. SIGTERM would wait until the last of them leaves."""

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "100",
    # Nothing replicates from a development server, and short WAL makes commits and restarts quicker.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

_ORPHAN_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.02
_STATE_LINE = 7


@dataclass(frozen=True)
class PostgresServer:
    """An initialised server that somebody else starts and stops; made by `prepare`.

    Attributes:
        folders: Where its files are.
        account: Who it runs as.
        programs: The folder of the PostgreSQL programs.
        durable: Whether commits reach the disk; False only for throwaway servers of tests.
    """

    folders: PostgresFolders
    account: Account
    programs: Path
    durable: bool = True

    @classmethod
    def at(cls, state_dir: Path, *, durable: bool = True) -> "PostgresServer":
        """Return the server of a state folder as it stands, initialised or not; its URLs hold from now on.

        Raises:
            PostgresUnavailableError: When the programs are missing or cannot run here.
        """
        return cls(folders_of(state_dir), choose_account(), programs_folder(), durable)

    @classmethod
    def prepare(cls, state_dir: Path, progress: Progress, *, durable: bool = True) -> "PostgresServer":
        """Initialise the data folder once, stop a server left over from an earlier life, and clear its traces.

        Args:
            state_dir: The state folder; everything goes below `postgres/` in it.
            progress: Receives lines for the screen.
            durable: See the class.

        Raises:
            PostgresUnavailableError: When the programs are missing or fail.
            RuntimeFolderRefusedError: When the socket's folder belongs to somebody else.
        """
        server = cls.at(state_dir, durable=durable)
        if not server.folders.data.exists():
            progress("initialising PostgreSQL, once")
            server.initialise()
        server.stop_leftover(progress)
        make_private_folder(server.folders.run, owner=server.account.uid)
        return server

    @property
    def argv(self) -> list[str]:
        """The command that becomes the server process."""
        settings = _SETTINGS if self.durable else {**_SETTINGS, "fsync": "off", "full_page_writes": "off"}
        command = [*self.account.prefix, str(self.programs / "postgres"), "-D", str(self.folders.data), "-k", str(self.folders.run)]
        return command + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    @property
    def owner_url(self) -> str:
        """URL of the superuser at the database `standfast`."""
        return self.url(SUPERUSER)

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the URL of any role at a database of this server; no password is needed."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.folders.run))}"

    async def wait_ready(
        self, pid: int, *, limit_seconds: float = 30.0, alive: Callable[[], bool] = lambda: True, log: Path | None = None
    ) -> None:
        """Wait until the server process accepts connections.

        Args:
            pid: The process started from `argv`.
            limit_seconds: How long to wait.
            alive: Asked between looks; False ends the wait.
            log: Where the process writes its log, to quote when the server does not get ready.

        Raises:
            PostgresUnavailableError: When the process ended or the time is up.
        """
        start = time.monotonic()
        while not self._is_ready(pid):
            if not alive():
                raise PostgresUnavailableError(f"PostgreSQL ended while it started; {end_of_log(log)}")
            if time.monotonic() - start >= limit_seconds:
                raise PostgresUnavailableError(f"PostgreSQL was not ready within {limit_seconds:.0f} s; {end_of_log(log)}")
            await asyncio.sleep(_POLL_SECONDS)

    def stop_leftover(self, progress: Progress) -> None:
        """Stop a server that still runs on our data although its supervisor died, and remove its socket."""
        pid = self._recorded_pid()
        identity = process_identity(pid) if pid is not None else None
        if pid is not None and identity is not None:
            if str(self.folders.data) in command_line(pid):
                progress(f"stopping a PostgreSQL left over from an earlier start (pid {pid})")
                stop_process(pid, identity, STOP_SIGNAL, patience_seconds=_ORPHAN_SECONDS_MAX)
            else:
                # The pid now belongs to a stranger, for which PostgreSQL would refuse to start. The file of a dead server
                # stays: from it PostgreSQL sees whether children of that server still hold its memory.
                self.folders.pid_file.unlink(missing_ok=True)
        self.clean_up()

    def clean_up(self) -> None:
        """Remove what a killed server leaves: its socket, the socket's lock, and a runtime folder outside the state folder."""
        self.folders.socket.unlink(missing_ok=True)
        self.folders.socket.with_name(f"{self.folders.socket.name}.lock").unlink(missing_ok=True)
        if self.folders.run_is_temporary and self.folders.run.is_dir() and not any(self.folders.run.iterdir()):
            self.folders.run.rmdir()

    def initialise(self) -> None:
        """Make the cluster and the database under another name first: a half-made one never looks whole."""
        draft = self.folders.data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        make_private_folder(draft, owner=self.account.uid)
        options = ("--auth=trust", f"--username={SUPERUSER}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        provider = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions")
        run_program(self.account, self.programs / "initdb", "-D", str(draft), *options, *provider)
        statement = f"create database {DATABASE};\n"
        run_program(self.account, self.programs / "postgres", "--single", "-D", str(draft), "template1", text=statement)
        draft.rename(self.folders.data)

    def _pid_lines(self) -> list[str]:
        try:
            return self.folders.pid_file.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []

    def _recorded_pid(self) -> int | None:
        first = next(iter(self._pid_lines()), "").strip()
        return int(first) if first.isdigit() else None

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_lines()
        return len(lines) > _STATE_LINE and lines[0].strip() == str(pid) and lines[_STATE_LINE].strip() == "ready"
