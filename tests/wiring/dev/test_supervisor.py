"""The supervisor: what it starts, says, restarts, writes down, and leaves behind (nothing)."""

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client

from tests.servers.postgres import embedded_postgres
from tests.servers.programs import WORKER, python_argv
from tests.servers.temporal import temporal_dev_server
from tests.wiring.dev.stacks import API_KEYS, dev_config, recorded, running_stack, until
from wiring.dev.child import ChildFailedError
from wiring.dev.config import DevConfig
from wiring.dev.records import AlreadyRunningError, dev_file
from wiring.dev.watch import backoff_seconds
from wiring.embedded.ports import LOOPBACK, port_is_free
from wiring.embedded.processes import process_identity

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
GRANDCHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import signal; signal.pause()'])\n"


class TestReadyStack:
    async def test_runs_real_servers_and_writes_dev_json_for_its_owner_only(self, tmp_path: Path) -> None:
        config = dev_config(tmp_path / "state")
        async with running_stack(config) as stack:
            state = stack.on_disk()
            client = await Client.connect(state.temporal_address)
            started = await client.start_workflow("waits", id="run_1", task_queue="nobody")
            async with await psycopg.AsyncConnection.connect(state.database_owner_url) as connection:
                row = await (await connection.execute("select current_database(), current_user")).fetchone()

            assert started.id == "run_1"
            assert row == ("standfast", "postgres")
            assert state == stack.state
            assert state.gateway_url == f"http://127.0.0.1:{config.gateway_port}"
            assert state.temporal_ui_url == f"http://127.0.0.1:{config.temporal_ports.ui}"
            assert state.api_keys == API_KEYS
            assert state.supervisor_pid == os.getpid()
            assert set(state.children) == {"temporal", "postgres", "worker", "gateway"}
            assert stat.S_IMODE(dev_file(config.state_dir).stat().st_mode) == 0o600
            assert stat.S_IMODE(config.state_dir.stat().st_mode) == 0o700

    async def test_gives_worker_and_gateway_their_settings(self, tmp_path: Path) -> None:
        config = replace(dev_config(tmp_path), environment={"EXTRA": "given"})
        async with running_stack(config) as stack:
            seen = stack.seen_by_worker()

        assert seen == {
            "TEMPORAL_ADDRESS": stack.state.temporal_address,
            "DATABASE_URL": stack.state.database_url,
            "STANDFAST_DATABASE_OWNER_URL": stack.state.database_owner_url,
            "STANDFAST_STATE_DIR": str(tmp_path),
            "EXTRA": "given",
        }
        assert stack.state.database_url.startswith("postgresql://app@/standfast")

    async def test_takes_other_ports_when_the_wanted_ones_are_in_use(self, tmp_path: Path) -> None:
        config = dev_config(tmp_path)
        wanted = (config.gateway_port, config.temporal_ports.ui)
        with socket.create_server((LOOPBACK, wanted[0])), socket.create_server((LOOPBACK, wanted[1])):
            async with running_stack(config) as stack:
                state = stack.state

        assert state.gateway_url != f"http://127.0.0.1:{config.gateway_port}"
        assert state.temporal_ui_url != f"http://127.0.0.1:{config.temporal_ports.ui}"
        assert state.temporal_address == f"127.0.0.1:{config.temporal_ports.frontend}"

    async def test_uses_outside_servers_and_starts_none(self, tmp_path: Path) -> None:
        with embedded_postgres() as postgres:
            async with temporal_dev_server(tmp_path) as temporal:
                config = replace(
                    dev_config(tmp_path / "state"),
                    temporal_address=temporal.address,
                    temporal_ui_url=temporal.ui_url,
                    database_url=postgres.server.url("app"),
                    database_owner_url=postgres.owner_url,
                )
                async with running_stack(config) as stack:
                    assert set(stack.state.children) == {"worker", "gateway"}
                    assert stack.state.temporal_address == temporal.address
                    assert stack.state.database_url == postgres.server.url("app")
                    assert stack.state.database_owner_url == postgres.owner_url


class TestDeadPart:
    async def test_is_restarted_and_said_so(self, tmp_path: Path) -> None:
        async with running_stack(dev_config(tmp_path)) as stack:
            dead = stack.state.children["worker"]
            os.kill(dead, signal.SIGKILL)
            await until(lambda: stack.on_disk().children["worker"] != dead, "another worker in dev.json")
            alive = stack.on_disk().children

            assert process_identity(alive["worker"]) == recorded(tmp_path).children["worker"].identity
            assert {name: pid for name, pid in alive.items() if name != "worker"} == {
                name: pid for name, pid in stack.state.children.items() if name != "worker"
            }
            assert f"worker (pid {dead}) ended with signal SIGKILL; restarting it" in stack.lines
            assert f"worker runs again (pid {alive['worker']})" in stack.lines

    async def test_a_killed_server_comes_back_with_its_data(self, tmp_path: Path) -> None:
        async with running_stack(dev_config(tmp_path)) as stack:
            url, dead = stack.state.database_owner_url, stack.state.children["postgres"]
            async with await psycopg.AsyncConnection.connect(url) as connection:
                await connection.execute("create table kept as select 7 as n")
            os.kill(dead, signal.SIGKILL)
            await until(lambda: stack.on_disk().children["postgres"] != dead, "another postgres in dev.json")
            await until(lambda: _rows(url) == [(7,)], "the row written before the kill")

    @pytest.mark.parametrize(("restarts", "seconds"), [(0, 0.0), (1, 0.2), (4, 2.0), (50, 2.0)])
    def test_pauses_grow_and_are_bounded(self, restarts: int, seconds: float) -> None:
        assert backoff_seconds(restarts) == seconds


def _rows(url: str) -> list[tuple[object, ...]]:
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("select n from kept").fetchall()
    except psycopg.OperationalError:
        return []


class TestStop:
    async def test_leaves_no_process_no_port_and_no_socket(self, tmp_path: Path) -> None:
        worker = python_argv(STUBBORN + GRANDCHILD + WORKER)
        config = replace(dev_config(tmp_path), worker_argv=worker)
        async with running_stack(config) as stack:
            pids = stack.state.children

        assert [name for name, pid in pids.items() if _group_exists(pid)] == []
        ports = (config.gateway_port, config.temporal_ports.frontend, config.temporal_ports.ui, config.temporal_ports.metrics)
        assert [port for port in ports if not port_is_free(port)] == []
        assert [path for path in tmp_path.rglob("*") if path.is_socket()] == []
        assert not dev_file(tmp_path).exists()

    async def test_ends_a_start_that_has_not_finished(self, tmp_path: Path) -> None:
        config = replace(dev_config(tmp_path), worker_argv=python_argv("import signal; signal.pause()"))
        started = asyncio.create_task(_run_for_ever(config))
        await until(lambda: "worker" in _recorded_names(tmp_path), "the worker's process")
        pids = [process.pid for process in recorded(tmp_path).children.values()]
        started.cancel()
        await asyncio.gather(started, return_exceptions=True)

        assert [pid for pid in pids if _group_exists(pid)] == []


async def _run_for_ever(config: DevConfig) -> None:
    async with running_stack(config):
        await asyncio.Event().wait()


def _recorded_names(state_dir: Path) -> set[str]:
    try:
        return set(recorded(state_dir).children)
    except AssertionError:
        return set()


def _group_exists(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


class TestFailedStart:
    async def test_shows_the_end_of_the_log_of_a_part_that_ends(self, tmp_path: Path) -> None:
        config = replace(dev_config(tmp_path), worker_argv=python_argv("import sys; sys.exit('no model is configured')"))

        with pytest.raises(ChildFailedError, match=r"(?s)worker ended with exit code 1 before it was ready.*no model is configured"):
            async with running_stack(config):
                pass

        assert not dev_file(tmp_path).exists()

    async def test_says_which_part_stays_silent(self, tmp_path: Path) -> None:
        silent = python_argv("import signal; signal.pause()")
        with embedded_postgres() as postgres:
            async with temporal_dev_server(tmp_path) as temporal:
                config = replace(
                    dev_config(tmp_path / "state"),
                    temporal_address=temporal.address,
                    database_url=postgres.owner_url,
                    worker_argv=silent,
                    gateway_argv=silent,
                    ready_seconds_max=0.2,
                )
                with pytest.raises(ChildFailedError, match=r"(worker|gateway) was not ready within 0 s"):
                    async with running_stack(config):
                        pass

    async def test_names_a_program_that_does_not_exist(self, tmp_path: Path) -> None:
        config = replace(dev_config(tmp_path), gateway_argv=("/nonexistent/gateway",))

        with pytest.raises(ChildFailedError, match="gateway cannot be started"):
            async with running_stack(config):
                pass

    async def test_passes_on_what_the_database_preparation_says_and_stops_the_servers(self, tmp_path: Path) -> None:
        async def fails(owner_url: str) -> Mapping[str, str]:
            raise ValueError(f"cannot migrate {owner_url.partition(':')[0]}")

        config = replace(dev_config(tmp_path), prepare=fails)
        with pytest.raises(ValueError, match="cannot migrate postgresql"):
            async with running_stack(config):
                pass

        assert port_is_free(config.temporal_ports.frontend)

    async def test_refuses_a_folder_whose_stack_runs(self, tmp_path: Path) -> None:
        async with running_stack(dev_config(tmp_path)):
            with pytest.raises(AlreadyRunningError, match=f"already runs on .* \\(pid {os.getpid()}\\)"):
                async with running_stack(dev_config(tmp_path)):
                    pass
