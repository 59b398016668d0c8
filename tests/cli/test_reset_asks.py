"""`standfast dev --reset` on a terminal asks the person, and no is the default."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command_line import ROOT


def asked_on_a_terminal(state_dir: Path, answer: bytes) -> tuple[int, str]:
    """Run the command on a terminal where somebody types `answer` and the return key; return its exit code and the screen."""
    master, slave = pty.openpty()
    words = [sys.executable, "-m", "cli.main", "dev", "--reset", "--state-dir", str(state_dir)]
    with subprocess.Popen(words, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        os.write(master, answer + b"\n")
        screen = b""
        try:
            while part := os.read(master, 4096):
                screen += part
        except OSError:  # Linux: the last process on the terminal has ended
            pass
        finally:
            os.close(master)
    return process.returncode, screen.decode()


class TestReset:
    @pytest.mark.parametrize(("answer", "kept"), [(b"n", True), (b"", True), (b"y", False)])
    def test_asks_the_person(self, answer: bytes, *, kept: bool, tmp_path: Path) -> None:
        (tmp_path / "postgres").mkdir()
        code, screen = asked_on_a_terminal(tmp_path, answer)
        assert f"Delete all runs, ledgers and definitions in {tmp_path}? [y/N]" in screen
        assert (tmp_path / "postgres").exists() is kept
        assert (code == 0) is not kept
