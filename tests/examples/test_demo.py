"""`make demo` as people run it: the whole stack, seven claims, a killed worker, and what the screen says."""

import re
import signal
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.examples.demo_process import DEMO_SECONDS_MAX, DemoPlace
from tests.examples.running_service import ROOT

pytestmark = pytest.mark.timeout(2 * DEMO_SECONDS_MAX)


@dataclass(frozen=True)
class Shown:
    """A finished demo."""

    place: DemoPlace
    code: int
    screen: str

    def row(self, claim_id: str) -> str:
        """Return a claim's row of the table."""
        return next(line for line in self.screen.splitlines() if line.startswith(claim_id))

    def commands(self) -> list[str]:
        """Return the commands under "To explore further"."""
        lines = self.screen.split("To explore further:\n")[1].splitlines()
        return [line.strip() for line in lines[: lines.index("")]]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """One demo that gets Ctrl-C when its claims have just been started."""
    place = DemoPlace(tmp_path_factory.mktemp("demo") / "state")
    screen = ""
    with place.begin() as process:
        assert process.stdout
        for line in process.stdout:
            screen += line
            if "started 7 claims" in line:
                process.send_signal(signal.SIGINT)
    return Shown(place, process.returncode, screen)


@pytest.fixture(scope="module")
def kept(interrupted: Shown) -> Generator[Shown]:
    """The next demo there, with --keep, stopped after the last test."""
    place = interrupted.place
    done = place.demo("--keep")
    yield Shown(place, done.returncode, done.stdout + done.stderr)
    assert place.demo("--stop").returncode == 0


class TestInterrupt:
    """Ctrl-C in the middle."""

    def test_stops_everything_that_the_demo_started(self, interrupted: Shown) -> None:
        assert interrupted.code == 130, interrupted.screen
        assert "interrupted: stops everything" in interrupted.screen
        assert _processes_of(interrupted.place.state_dir) == ""

    def test_leaves_runs_that_the_next_demo_cancels_first(self, kept: Shown) -> None:
        assert "which an interrupted demo left open" in kept.screen


class TestDemo:
    """A demo without a terminal."""

    def test_ends_well_and_says_that_everything_agrees(self, kept: Shown) -> None:
        assert kept.code == 0, kept.screen
        assert "Bank, mail service, ledgers and runs agree" in kept.screen

    def test_shows_each_claim_with_verdict_amount_and_verified_ledger(self, kept: Shown) -> None:
        assert re.search(r"pay +120\.00 USD +scripted model +[\d,]+ +\$0\.0000 +verified, \d+ entries", kept.row("CLM-1001"))
        assert re.search(r"pay, approved +600\.00 USD .* verified", kept.row("CLM-1002"))
        assert re.search(r"refuse +0\.00 USD .* verified", kept.row("CLM-1003"))
        assert re.search(r"pay, undone +0\.00 USD .* verified", kept.row("CLM-1004"))
        assert re.search(r"pay +120\.00 USD .* verified", kept.row("CLM-1005"))

    def test_says_that_the_model_is_scripted_and_who_decided(self, kept: Shown) -> None:
        assert "SCRIPTED MODEL: no AI is asked." in kept.screen
        assert "the demo reviewer decides through the Python client" in kept.screen

    def test_puts_what_an_injected_letter_asks_for_before_a_person(self, kept: Shown) -> None:
        assert "CLM-6666: bank.pay to ATTACKER-77 waits for a person" in kept.screen
        assert "an untrusted source (signal) may have chosen" in kept.screen
        assert "CLM-6666: rejected by the demo reviewer; the bank's books know nothing of it" in kept.screen

    def test_kills_the_worker_and_pays_nobody_twice(self, kept: Shown) -> None:
        assert re.search(r"killed the worker with kill -9 \(pid \d+\)", kept.screen)
        assert "4 payments of 1,140.00 USD in all, 1 reservation released, 0 refunds, 0 claims paid twice" in kept.screen

    def test_links_each_run_in_the_web_ui(self, kept: Shown) -> None:
        assert len(re.findall(r"CLM-\d+  http://\S+/namespaces/default/workflows/run_[0-9a-z]{26}", kept.screen)) == 7

    def test_says_what_the_recording_on_readme_says(self, kept: Shown) -> None:
        recording = (ROOT / "README.md").read_text(encoding="utf-8").split("```text\nStandfast demo:")[1].split("```")[0]
        said = {_told(line) for line in kept.screen.splitlines()}
        assert [line for line in recording.splitlines()[1:] if _told(line) not in said and not _OF_ONE_RUN.search(line)] == []

    def test_shows_three_commands_that_work(self, kept: Shown) -> None:
        answers = [kept.place.command(line) for line in kept.commands()]

        assert [answer.returncode for answer in answers] == [0, 0, 0], [answer.stderr for answer in answers]
        trace, verify, runs = (answer.stdout for answer in answers)
        assert "settle.notify" in trace
        assert "entries" in verify
        assert runs.count("delay-claim") == 14


class TestPerson:
    """A demo on a terminal, on the stack that the first one kept."""

    def test_asks_and_takes_no_for_an_answer(self, kept: Shown) -> None:
        code, screen = kept.place.demo_on_terminal(["y", "n"], "--keep")

        assert code == 0, screen
        assert "uses the stack that already runs" in screen
        assert re.search(r"CLM-1002 +pay, approved +600\.00 USD", screen)
        assert re.search(r"CLM-1006 +pay, rejected by a person +0\.00 USD", screen)


_OF_ONE_RUN = re.compile(
    r"^  …$|the stack is|initialising|waits until|undoes what|Everything is stopped|dev --detach|^SCRIPTED|^ANTHROPIC|^model\."
)
"""Lines that depend on the machine's speed, on the width of the terminal, or on what there was before."""


def _told(line: str) -> str:
    """Return a line without its numbers, ids and column widths."""
    without_ids = re.sub(r"run_[0-9a-z]{26}", "run_", line)
    return re.sub(r"[ ─]+", " ", re.sub(r"\d[\d,.:]*", "#", without_ids)).strip()


def _processes_of(state_dir: Path) -> str:
    """Return the processes that name the state folder or lie in it."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in listed.splitlines() if str(state_dir) in line)
