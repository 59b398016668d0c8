"""A stack behind the terminal: started, asked, stopped, wiped, and cleaned up after a killed supervisor."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.wiring.dev.stacks import dev_config, recorded, running_stack, supervisor_argv, until
from wiring.dev.background import detach_dev, dev_status, reset_dev, stop_dev
from wiring.dev.child import ChildFailedError
from wiring.dev.leftovers import clean_leftovers
from wiring.dev.records import AlreadyRunningError, ProcessRecords, RecordedProcess, is_running, read_dev_state, write_processes
from wiring.embedded.processes import process_identity


@pytest.fixture
def state_dir(tmp_path: Path) -> Generator[Path]:
    """A state folder whose stack is stopped at the end, whatever the test did."""
    yield tmp_path / "state"
    stop_dev(tmp_path / "state", print)


class TestDetach:
    def test_returns_when_ready_and_stop_ends_everything(self, state_dir: Path) -> None:
        lines: list[str] = []
        state = detach_dev(state_dir, supervisor_argv(state_dir), lines.append)
        status = dev_status(state_dir)

        assert status.running
        assert status.state == state
        assert status.parts == dict.fromkeys(("temporal", "postgres", "worker", "gateway"), True)
        assert os.getsid(state.supervisor_pid) == state.supervisor_pid
        assert {os.getsid(pid) for pid in state.children.values()} == {state.supervisor_pid}
        assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
        assert "initialising PostgreSQL, once" in lines

        assert stop_dev(state_dir, print)
        assert [pid for pid in (*state.children.values(),) if process_identity(pid)] == []
        assert [path for path in state_dir.rglob("*") if path.is_socket()] == []
        assert dev_status(state_dir).running is False
        assert dev_status(state_dir).state is None

    def test_refuses_a_second_one(self, state_dir: Path) -> None:
        detach_dev(state_dir, supervisor_argv(state_dir), print)

        with pytest.raises(AlreadyRunningError, match="standfast dev --stop"):
            detach_dev(state_dir, supervisor_argv(state_dir), print)

    def test_shows_why_the_supervisor_ended(self, state_dir: Path) -> None:
        with pytest.raises(ChildFailedError, match=r"(?s)ended with exit code 1.*no such profile"):
            detach_dev(state_dir, [sys.executable, "-c", "import sys; sys.exit('no such profile')"], print)


class TestKilledSupervisor:
    async def test_leaves_orphans_that_the_next_start_ends(self, state_dir: Path) -> None:
        first = detach_dev(state_dir, supervisor_argv(state_dir), print)
        os.kill(first.supervisor_pid, signal.SIGKILL)
        os.waitpid(first.supervisor_pid, 0)
        assert all(process_identity(pid) for pid in first.children.values())
        assert dev_status(state_dir).running is False

        async with running_stack(dev_config(state_dir)) as stack:
            assert [name for name, pid in first.children.items() if process_identity(pid)] == []
            assert f"stopping worker left over from an earlier start (pid {first.children['worker']})" in stack.lines

    def test_leaves_orphans_that_stop_ends(self, state_dir: Path) -> None:
        first = detach_dev(state_dir, supervisor_argv(state_dir), print)
        os.kill(first.supervisor_pid, signal.SIGKILL)
        os.waitpid(first.supervisor_pid, 0)

        assert stop_dev(state_dir, print)
        assert [name for name, pid in first.children.items() if process_identity(pid)] == []
        assert read_dev_state(state_dir) is None

    def test_a_stranger_with_a_recorded_pid_is_left_alone(self, tmp_path: Path) -> None:
        with subprocess.Popen([sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]) as stranger:
            dead = RecordedProcess(pid=stranger.pid, identity="an earlier process")
            write_processes(tmp_path, ProcessRecords(children={"worker": dead}))

            assert clean_leftovers(tmp_path, print) == []
            assert stranger.poll() is None
            stranger.kill()


class TestStop:
    def test_says_that_nothing_was_running(self, tmp_path: Path) -> None:
        assert stop_dev(tmp_path / "never", print) is False
        assert stop_dev(tmp_path, print) is False

    async def test_a_terminal_interrupt_stops_the_supervisor_in_order(self, state_dir: Path) -> None:
        state = detach_dev(state_dir, supervisor_argv(state_dir), print)
        os.kill(state.supervisor_pid, signal.SIGINT)
        _, code = os.waitpid(state.supervisor_pid, 0)

        assert os.waitstatus_to_exitcode(code) == 0
        await until(lambda: not is_running(state_dir), "the supervisor's lock")
        assert [pid for pid in state.children.values() if process_identity(pid)] == []

    def test_kills_a_supervisor_that_hangs(self, tmp_path: Path) -> None:
        code = (
            "import signal, pathlib, sys; from wiring.dev.records import supervisor_lock; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "with supervisor_lock(pathlib.Path(sys.argv[1])): print('held', flush=True); signal.pause()"
        )
        lines: list[str] = []
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as hangs:
            assert hangs.stdout is not None
            assert hangs.stdout.readline() == b"held\n"

            assert stop_dev(tmp_path, lines.append, patience_seconds=0.2)

        assert lines == [f"the supervisor (pid {hangs.pid}) does not stop; killing it"]

    def test_waits_for_the_end_of_the_process_and_not_only_for_its_folder(self, tmp_path: Path) -> None:
        code = (
            "import signal, pathlib, sys; from wiring.dev.records import supervisor_lock\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
            "with supervisor_lock(pathlib.Path(sys.argv[1])): print('held', flush=True); signal.sigwait({signal.SIGTERM})\n"
            "signal.pause()  # the end of a process takes long where others run"
        )
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as lingers:
            try:
                assert lingers.stdout is not None
                assert lingers.stdout.readline() == b"held\n"
                assert stop_dev(tmp_path, print, patience_seconds=0.5)
                assert process_identity(lingers.pid) is None
            finally:
                lingers.kill()


class TestReset:
    def test_deletes_the_data_and_nothing_it_does_not_know(self, tmp_path: Path) -> None:
        for name in ("postgres", "temporal", "objects", "logs", "mine"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").touch()
        (tmp_path / "master.key").touch()
        (tmp_path / "config.toml").touch()

        assert sorted(reset_dev(tmp_path, also=("master.key", "absent"))) == ["logs", "master.key", "objects", "postgres", "temporal"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "mine", "supervisor.lock"]

    async def test_is_refused_while_the_stack_runs(self, state_dir: Path) -> None:
        async with running_stack(dev_config(state_dir)):
            with pytest.raises(AlreadyRunningError):
                reset_dev(state_dir)
            assert recorded(state_dir).children
