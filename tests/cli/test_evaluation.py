"""`eval` beside a gateway whose runs end at once."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from domain.ledger import EntryBody, Kind
from domain.runs import Projection, RunStatus
from domain.tasks import TaskProjection
from tests.api.gateway import fresh_id
from tests.cli.command_line import CommandLine

DATASET = """
definition: delay-claim
scorers:
  - {kind: exact, path: paid}
  - {kind: cel, name: generous, expression: "input.output.paid >= 100"}
cases:
  - {name: first, input: {claim: {id: c-1}}, expected: {paid: 250}}
  - {name: second, input: {claim: {id: c-2}}, expected: {paid: 120}}
"""
PAID = {"c-1": 250, "c-2": 120}


class Worker:
    """Ends every run: with what is paid for its claim, or badly when nothing is."""

    def __init__(self, line: CommandLine) -> None:
        self._house = line.live.house
        self._over = threading.Event()
        self.paid = dict(PAID)
        self.large: set[str] = set()
        self.asked: set[str] = set()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        database = self._house.stores.database
        while not self._over.wait(0.005):
            for (tenant, run), row in list(database.runs.items()):
                if not row.status.closed and (tenant, run) in database.accepted:
                    claim = str(json.loads(database.accepted[tenant, run].model_dump_json())["input"]["claim"]["id"])
                    if claim in self.large:
                        self._call_with_large_output(run)
                    if claim in self.asked:
                        self._ask_a_person(run)
                    if claim in self.paid:
                        self._house.succeed(run, {"paid": self.paid[claim]})
                    else:
                        self._house.project(run, Projection(status=RunStatus.FAILED, error={"code": "tool-failed", "detail": "no"}))

    def _call_with_large_output(self, run: str) -> None:
        """Have a tool called whose output is too large for its event."""
        stores = self._house.stores
        said = {"kind": Kind.TOOL_CALLED, "at": stores.database.now(), "principal": "prn_a", "correlation_id": "c", "epoch": 1}
        stores.streams.outputs["default", run, "look", 1, "call"] = {"output_bytes": 100_000}
        place = {"step": "look", "visit": 1, "call": "call", "attempt": 1}
        stores.database.append("default", run, EntryBody.model_validate(said | place))

    def _ask_a_person(self, run: str) -> None:
        """Have a person fill in a task."""
        stores, task = self._house.stores, fresh_id("tsk")
        at = stores.database.now()
        opened = TaskProjection(task=task, kind="human", step="look", visit=1, call="task", title="?", detail="", opened_at=at)
        self._house.project(run, Projection(status=RunStatus.WAITING, open_task=opened))
        asyncio.run(stores.tasks.complete("default", task, resolution="completed", output={"n": 4}, principal="prn_a", at=at))
        for kind in (Kind.TASK_OPENED, Kind.TASK_COMPLETED):
            said = {"kind": kind, "at": at, "principal": "prn_a", "correlation_id": "c", "epoch": 1, "data": {"task": task}}
            stores.database.append("default", run, EntryBody.model_validate(said | {"step": "look", "visit": 1}))

    def stop(self) -> None:
        """Work no more."""
        self._over.set()
        self.thread.join()


@pytest.fixture
def worker(standfast: CommandLine) -> Iterator[Worker]:
    """A worker that works until the test ends."""
    working = Worker(standfast)
    working.thread.start()
    yield working
    working.stop()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A file of two cases."""
    path = tmp_path / "claims.yaml"
    path.write_text(DATASET, encoding="utf-8")
    return path


class TestEval:
    def test_shows_a_table_and_writes_the_result(self, standfast: CommandLine, worker: Worker, dataset: Path, tmp_path: Path) -> None:
        del worker
        done = standfast("eval", str(dataset), "--out", str(tmp_path / "now.json"))
        assert done.exit_code == ExitCode.OK, done.output
        heading, first, second, total = done.stdout.splitlines()
        assert heading.split() == ["CASE", "PASSED", "STATUS", "EXACT", "PAID", "GENEROUS", "COST", "SECONDS", "RUN"]
        assert (first.split()[:3], second.split()[:3]) == (["first", "yes", "succeeded"], ["second", "yes", "succeeded"])
        assert total.startswith("2 of 2 passed; exact paid 1.00, generous 1.00; $")
        written = json.loads((tmp_path / "now.json").read_text(encoding="utf-8"))
        assert [case["output"] for case in written["cases"]] == [{"paid": 250}, {"paid": 120}]

    def test_ends_with_its_own_code_when_something_became_worse(
        self, standfast: CommandLine, worker: Worker, dataset: Path, tmp_path: Path
    ) -> None:
        assert standfast("eval", str(dataset), "--out", str(tmp_path / "before.json")).exit_code == ExitCode.OK
        worker.paid["c-2"] = 50
        done = standfast("eval", str(dataset), "--baseline", str(tmp_path / "before.json"))
        assert done.exit_code == ExitCode.REGRESSED
        assert "worse: second: exact paid 0.00 (expected 120, got 50)" in done.stderr
        del worker.paid["c-1"]
        done = standfast("eval", str(dataset), "--baseline", str(tmp_path / "before.json"))
        assert "the run failed, and succeeded is expected" in done.stderr

    def test_asks_for_a_share_that_passes(self, standfast: CommandLine, worker: Worker, dataset: Path) -> None:
        worker.paid["c-2"] = 50
        assert standfast("eval", str(dataset)).exit_code == ExitCode.OK
        assert standfast("eval", str(dataset), "--fail-under", "0.5").exit_code == ExitCode.OK
        assert standfast("eval", str(dataset), "--fail-under", "0.6").exit_code == ExitCode.REGRESSED

    def test_goes_on_with_the_runs_of_the_same_id(self, standfast: CommandLine, worker: Worker, dataset: Path) -> None:
        del worker
        for _ in range(2):
            assert standfast("eval", str(dataset), "--id", "nightly-7").exit_code == ExitCode.OK
        assert len(standfast.live.house.stores.database.runs) == 2

    def test_takes_cases_line_by_line(self, standfast: CommandLine, worker: Worker, tmp_path: Path) -> None:
        del worker
        path = tmp_path / "claims.jsonl"
        path.write_text('{"input": {"claim": {"id": "c-1"}}, "expected": {"paid": 250}}\n', encoding="utf-8")
        done = standfast("eval", str(path), "--definition", "delay-claim", "--json")
        assert json.loads(done.stdout)["cases"][0]["scores"]["exact"]["passed"] is True

    @pytest.mark.parametrize(
        ("text", "said"), [("cases: [", "claims.yaml"), ("cases: [{name: a}]", "say what to run"), ("x: 1", "/cases"), ("", "empty")]
    )
    def test_says_what_is_wrong_with_a_dataset(self, standfast: CommandLine, dataset: Path, text: str, said: str) -> None:
        dataset.write_text(text, encoding="utf-8")
        done = standfast("eval", str(dataset))
        assert done.exit_code == ExitCode.USAGE
        assert said in done.stderr

    def test_ends_badly_when_a_case_could_not_be_run(self, standfast: CommandLine, dataset: Path) -> None:
        done = standfast("eval", str(dataset), "--definition", "nothing-like-it")
        assert done.exit_code == ExitCode.FAILURE
        assert "error: 2 of 2 cases could not be run or scored: first, second" in done.stderr

    def test_records_each_case_in_a_folder_of_its_own(self, standfast: CommandLine, worker: Worker, tmp_path: Path) -> None:
        del worker
        path = tmp_path / "claims.yaml"
        path.write_text(DATASET.replace("name: first", "name: a b").replace("name: second", "name: a-b"), encoding="utf-8")
        assert standfast("eval", str(path), "--record", str(tmp_path / "golden")).exit_code == ExitCode.OK
        traces = [json.loads(place.read_text(encoding="utf-8")) for place in (tmp_path / "golden").glob("*/trace.json")]
        assert sorted((trace["name"], trace["result"]["paid"]) for trace in traces) == [("a b", 250), ("a-b", 120)]

    def test_records_what_people_filled_in(self, standfast: CommandLine, worker: Worker, dataset: Path, tmp_path: Path) -> None:
        worker.asked.add("c-1")
        done = standfast("eval", str(dataset), "--record", str(tmp_path / "golden"))
        assert (done.exit_code, "there is no trace of it" in done.stderr) == (ExitCode.OK, False), done.output
        trace = json.loads((tmp_path / "golden" / "first" / "trace.json").read_text(encoding="utf-8"))
        assert trace["tasks"] == [{"step": "look", "visit": 1, "call": "", "output": {"n": 4}}]

    def test_scores_a_case_that_cannot_be_recorded(self, standfast: CommandLine, worker: Worker, dataset: Path, tmp_path: Path) -> None:
        worker.large.add("c-2")
        out = tmp_path / "now.json"
        done = standfast("eval", str(dataset), "--record", str(tmp_path / "golden"), "--out", str(out))
        assert done.exit_code == ExitCode.OK, done.output
        assert "second: there is no trace of it: step look: the output" in done.stderr
        first, second = json.loads(out.read_text(encoding="utf-8"))["cases"]
        assert (first["unrecorded"], second["status"], second["scores"]["exact paid"]["value"]) == (None, "succeeded", 1)
        assert [place.name for place in (tmp_path / "golden").iterdir()] == ["first"]

    def test_scores_cases_beside_a_folder_that_cannot_be_written(
        self, standfast: CommandLine, worker: Worker, dataset: Path, tmp_path: Path
    ) -> None:
        del worker
        (tmp_path / "golden").write_text("a file", encoding="utf-8")
        done = standfast("eval", str(dataset), "--record", str(tmp_path / "golden"))
        assert (done.exit_code, done.stderr.count("there is no trace of it")) == (ExitCode.OK, 2)

    def test_counts_a_case_that_could_not_be_run_as_not_passed(self, standfast: CommandLine, dataset: Path) -> None:
        done = standfast("eval", str(dataset), "--definition", "nothing-like-it", "--fail-under", "1")
        assert done.exit_code == ExitCode.REGRESSED
        assert "0 of 2 passed" in done.stdout
