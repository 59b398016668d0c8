"""The embedded PostgreSQL: it keeps what it was told through a kill, takes long paths, and leaves no file that lives."""

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgres import embedded_postgres
from wiring.embedded.postgres import PostgresServer
from wiring.embedded.postgres_folders import SOCKET_PATH_BYTES_MAX, RuntimeFolderRefusedError, folders_of, make_private_folder
from wiring.embedded.processes import process_identity
from wiring.embedded.unprivileged import choose_capability, effective_capabilities


def say(server: PostgresServer, sql: str) -> list[tuple[object, ...]]:
    """Run one statement as the superuser and return its rows."""
    with psycopg.connect(server.owner_url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


class TestPostgresServer:
    def test_keeps_committed_rows_when_killed_and_started_again(self, tmp_path: Path) -> None:
        with embedded_postgres(tmp_path, durable=True) as postgres:
            say(postgres.server, "create table kept as select 7 as n")
            os.kill(postgres.pid, signal.SIGKILL)

        with embedded_postgres(tmp_path, durable=True) as postgres:
            assert say(postgres.server, "select n from kept") == [(7,)]

    def test_is_version_18_in_utf8_and_listens_on_no_port(self, tmp_path: Path) -> None:
        with embedded_postgres(tmp_path) as postgres:
            rows = say(
                postgres.server,
                "select current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),"
                " current_setting('listen_addresses'), current_database()",
            )

        assert rows == [(18, "UTF8", "", "standfast")]

    def test_runs_under_a_state_path_too_long_for_a_socket(self, tmp_path: Path) -> None:
        state_dir = tmp_path / ("deep" * 20) / ("er" * 20)
        state_dir.mkdir(parents=True)
        with embedded_postgres(state_dir) as postgres:
            folders = postgres.server.folders
            assert say(postgres.server, "select 1") == [(1,)]
            assert folders.data.is_relative_to(state_dir)
            assert len(os.fsencode(folders.socket)) <= SOCKET_PATH_BYTES_MAX
            assert stat.S_IMODE(folders.run.stat().st_mode) == 0o700

        assert not folders.run.exists()

    def test_the_socket_is_gone_after_a_stop_and_closed_to_others_before(self, tmp_path: Path) -> None:
        with embedded_postgres(tmp_path) as postgres:
            folders = postgres.server.folders
            assert folders.socket.is_socket()
            assert stat.S_IMODE(folders.run.stat().st_mode) == 0o700
            assert stat.S_IMODE(folders.data.stat().st_mode) == 0o700

        assert list(folders.run.iterdir()) == []

    def test_prepare_stops_a_server_left_over_from_an_earlier_start(self, tmp_path: Path) -> None:
        lines: list[str] = []
        with embedded_postgres(tmp_path) as postgres:
            PostgresServer.prepare(tmp_path, lines.append)

            assert lines == [f"stopping a PostgreSQL left over from an earlier start (pid {postgres.pid})"]
            assert process_identity(postgres.pid) is None

    def test_starts_although_the_recorded_pid_now_belongs_to_a_stranger(self, tmp_path: Path) -> None:
        with embedded_postgres(tmp_path) as postgres:
            lines = postgres.server.folders.pid_file.read_text(encoding="utf-8").splitlines()
        postgres.server.folders.pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="utf-8")

        with embedded_postgres(tmp_path) as postgres:
            assert say(postgres.server, "select 1") == [(1,)]

    def test_a_half_made_cluster_is_made_again(self, tmp_path: Path) -> None:
        half = tmp_path / "postgres" / "data.new"
        half.mkdir(parents=True)
        (half / "PG_VERSION").write_text("18\n", encoding="utf-8")

        with embedded_postgres(tmp_path) as postgres:
            assert say(postgres.server, "select 1") == [(1,)]


class TestRuntimeFolder:
    def test_refuses_a_link_somebody_put_there(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "run").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(RuntimeFolderRefusedError, match="is not a folder of this account"):
            make_private_folder(tmp_path / "run", owner=os.getuid())

    def test_differs_between_two_long_state_paths(self, tmp_path: Path) -> None:
        first, second = folders_of(tmp_path / ("ab" * 60)), folders_of(tmp_path / ("cd" * 60))

        assert first.run_is_temporary
        assert second.run_is_temporary
        assert first.run != second.run


class TestUnprivileged:
    @pytest.mark.parametrize(("effective", "chosen"), [(0b0110, 2), (0b0010, 1), (0b1000, None)])
    def test_keeps_the_weakest_capability_that_walks_through_closed_folders(self, effective: int, chosen: int | None) -> None:
        assert choose_capability(effective) == chosen

    def test_reads_the_effective_set(self) -> None:
        assert effective_capabilities(["Name:\tcat", "CapEff:\t00000000a80425fb"]) == 0xA80425FB
