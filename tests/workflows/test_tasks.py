"""Work for people as a step: put before them, escalated, overdue, filled in; and terms for questions about effects."""

from datetime import timedelta

import pytest
from pydantic import JsonValue

from domain.effects import RetryClass
from domain.errors import ToolTimedOut
from domain.people_stores import TaskRow
from domain.program import Program, TaskStep
from domain.runs import RunStatus
from domain.tasks import TaskRung, TaskTerms
from tests.domain.programs import call, pinned, program
from tests.workflows.bench import REVIEWER, Bench, LiveRun, ScriptedTool, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORM: dict[str, JsonValue] = {"type": "object", "required": ["iban"], "properties": {"iban": {"type": "string"}}}
LADDER = TaskTerms(principal="prn_x", due_s=3600, ladder=[TaskRung(after_s=7200, role="lead")])


def work(*, terms: TaskTerms | None = None, timeout_s: float | None = None, on_timeout: str = "fail") -> Program:
    """Build a program that asks a person, and answers with what they filled in."""
    step = TaskStep.model_validate(
        {
            "path": "ask",
            "title": "Call ${ input.name }",
            "instructions": "Ask for the IBAN of ${ input.name }.",
            "form": FORM,
            "terms": terms or TaskTerms(role="desk"),
            "timeout_s": timeout_s,
            "on_timeout": on_timeout,
        }
    )
    return program(step, output="${ steps.ask.output }" if on_timeout == "fail" else None, projections={"ask": [""]})


async def asked(bench: Bench, given: Program) -> LiveRun:
    """Start a run about Ada."""
    return await bench.start(given, given={"name": "Ada"})


async def changed(run: LiveRun, **wanted: object) -> TaskRow:
    """Return the open task once it is so."""

    async def look() -> TaskRow | None:
        row = await run.task("human")
        return row if all(getattr(row.projection, name) == value for name, value in wanted.items()) else None

    return await until(look)


class TestTaskStep:
    async def test_puts_the_task_before_people_and_takes_what_they_fill_in(self, bench: Bench) -> None:
        async with bench.worker():
            run = await asked(bench, work())
            task = await run.task("human")
            assert (task.projection.title, task.projection.detail) == ("Call Ada", "Ask for the IBAN of Ada.")
            assert (task.projection.role, task.projection.form, task.own) == ("desk", FORM, False)
            row = await run.row()
            assert (row.status, "desk" in (row.waits_for or "")) == (RunStatus.WAITING, True)
            await run.complete(task, "completed", output={"iban": "DE1"})
            assert (await run.handle.result()).output == {"iban": "DE1"}
            kinds = await run.kinds()
            assert [kind for kind in kinds if "task" in kind] == ["workflow:task:opened", "human:task:completed"]
            closed = await bench.storage.tasks.get(bench.tenant, task.projection.task)
            assert (closed.state, closed.completed_by) == ("completed", REVIEWER)

    async def test_takes_no_answer_that_the_gateway_does_not_attest(self, bench: Bench) -> None:
        async with bench.worker():
            run = await asked(bench, work())
            task = await run.task("human")
            forged = {"task": task.projection.task, "resolution": "completed", "output": {"iban": "evil"}, "principal": REVIEWER}
            await run.handle.signal("complete_task", forged)
            await run.complete(task, "completed", output={"iban": "DE1"})
            assert (await run.handle.result()).output == {"iban": "DE1"}
            assert "workflow:completion:refused" in await run.kinds()

    async def test_becomes_overdue_and_goes_up_its_ladder(self, bench: Bench) -> None:
        async with bench.worker():
            run = await asked(bench, work(terms=LADDER))
            await changed(run, level=0, assignee="prn_x")
            await run.pass_time(timedelta(minutes=61))
            late = await changed(run, level=0)
            await until(lambda: _breached(run))
            assert late.projection.assignee == "prn_x"
            await run.pass_time(timedelta(minutes=61))
            task = await changed(run, level=1)
            assert (task.projection.role, task.projection.assignee) == ("lead", None)
            await run.complete(task, "completed", output={"iban": "DE1"})
            await run.handle.result()
            told = [kind for kind in await run.kinds() if "task" in kind]
            assert told == ["workflow:task:opened", "workflow:task:breached", "workflow:task:escalated", "human:task:completed"]

    @pytest.mark.parametrize(("on_timeout", "code"), [("fail", "step-timed-out"), ("skip", None)])
    async def test_ends_as_it_says_when_its_time_is_over(self, bench: Bench, on_timeout: str, code: str | None) -> None:
        async with bench.worker():
            run = await asked(bench, work(timeout_s=3600, on_timeout=on_timeout))
            task = await run.task("human")
            await run.pass_time(timedelta(minutes=61))
            assert await run.failure() == code
            closed = await bench.storage.tasks.get(bench.tenant, task.projection.task)
            assert (closed.state, closed.resolution) == ("completed", "timed_out")

    async def test_is_withdrawn_when_the_run_is_cancelled(self, bench: Bench) -> None:
        async with bench.worker():
            run = await asked(bench, work())
            task = await run.task("human")
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert (await bench.storage.tasks.get(bench.tenant, task.projection.task)).resolution == "withdrawn"


async def _breached(run: LiveRun) -> bool:
    return (await run.task("human")).projection.breached_at is not None


class TestDoubts:
    async def test_have_the_terms_of_their_definition(self, bench: Bench) -> None:
        wire = pinned("bank.wire", retry_class=RetryClass.AT_MOST_ONCE)
        given = program(call("wire", tool="bank.wire"), tools=[wire]).model_copy(update={"doubts": LADDER})
        lost = ScriptedTool("bank.wire", ToolTimedOut("no answer"), retry_class=RetryClass.AT_MOST_ONCE)
        async with bench.running(given, lost) as run:
            task = await run.task("in_doubt")
            assert (task.projection.assignee, task.projection.due is None) == ("prn_x", False)
            await run.pass_time(timedelta(hours=3))

            async def escalated() -> bool:
                return (await run.task("in_doubt")).projection.role == "lead"

            await until(escalated)
            await run.complete(task, "happened", output={})
            await run.handle.result()
            told = [kind for kind in await run.kinds() if "workflow:task" in kind]
            assert told == ["workflow:task:opened", "workflow:task:breached", "workflow:task:escalated"]
