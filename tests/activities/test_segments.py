"""One activity walks a segment: what crashes, failures, cancellations and rivals leave, over the fake journal."""

import asyncio

import pytest
from temporalio.testing import ActivityEnvironment

from activities.options import SEGMENT_ATTEMPTS
from domain.errors import EffectLeased, ToolFailed, ToolUnavailable
from domain.program import Program, RetryRule
from domain.projection import PROJECTED_BYTES_MAX
from domain.runs import RunStatus
from tests.activities.segment_bench import TWO, WHOLE, Attempts, CrashError, is_final, key, read, reads, steps_called, tool
from tests.domain.programs import call

POINTS = [("before-intent", "a"), *((point, step) for step in ("a", "b") for point in ("after-intent", "after-effect", "after-outcome"))]
"""Where an attempt may end; the intent of a later call is one transaction with the outcome before it."""


class TestWalk:
    async def test_tells_outcomes_in_order_and_writes_every_step(self) -> None:
        reader = tool({"n": 1}, {"n": 2})
        attempts = Attempts(TWO, reader)
        result = await attempts.result()
        assert [(outcome.command, outcome.receipt.fields) for outcome in result.outcomes] == [
            ("a#1/call", {"": {"n": 1}}),
            ("b#1/call", {"": {"n": 2}}),
        ]
        assert (result.finished, result.stopped) == (False, None)
        assert [made.arguments for made in reader.calls] == [{}, {"x": 1}]
        assert await attempts.kinds() == [
            "workflow:run:started",
            "workflow:step:entered a",
            "agent:tool:requested a",
            "agent:tool:called a",
            "workflow:step:completed a",
            "workflow:step:entered x",
            "workflow:step:completed x",
            "workflow:step:entered b",
            "agent:tool:requested b",
            "agent:tool:called b",
        ]

    async def test_names_outputs_by_the_references_the_journal_has(self) -> None:
        attempts = Attempts(TWO, tool({"n": 1}, {"n": 2}))
        for outcome in (await attempts.result()).outcomes:
            ref = outcome.receipt.ref
            assert ref is not None
            assert await attempts.fake.get("acme", ref) == outcome.receipt.fields[""]
            assert outcome.receipt.output is None

    async def test_acknowledges_no_fact_that_it_did_not_write(self) -> None:
        attempts = Attempts(TWO, tool({"n": 1}))
        receipt = await attempts.attempt()
        assert receipt.fact_head == attempts.fake.runs["run_00000000000000000000000001"].fact_head == 6

    async def test_writes_the_end_of_a_run_that_ends_with_it(self) -> None:
        attempts = Attempts(WHOLE, tool({"n": 1}, {"n": 2}))
        assert (await attempts.result()).finished
        row = await attempts.fake.row()
        assert (row.status, await attempts.fake.result()) == (RunStatus.SUCCEEDED, 2)
        assert (await attempts.kinds())[-1] == "workflow:run:finished"

    async def test_leaves_an_end_that_is_no_success_to_the_workflow(self) -> None:
        attempts = Attempts(reads(read("a"), output="${ steps.a.output.missing }"), tool({}))
        result = await attempts.result()
        assert (result.finished, len(result.outcomes)) == (False, 1)
        assert (await attempts.fake.row()).status is RunStatus.RUNNING
        assert "workflow:run:finished" not in await attempts.kinds()

    async def test_beats_with_the_step_it_has_come_to(self) -> None:
        reader = tool({"n": 1})
        reader.released.clear()
        attempts = Attempts(TWO, reader)
        running = asyncio.create_task(attempts.attempt(heartbeat_s=0.05))
        await reader.begun.wait()
        while len(attempts.beats) < 3:
            await asyncio.sleep(0)
        reader.released.set()
        await running
        assert set(attempts.beats) <= {"a", "b"}
        assert attempts.beats[0] == "a"

    async def test_holds_the_lease_of_a_call_while_it_beats(self) -> None:
        reader = tool({"n": 1})
        reader.released.clear()
        attempts = Attempts(TWO, reader)
        running = asyncio.create_task(attempts.attempt(heartbeat_s=0.1))
        await reader.begun.wait()
        first = attempts.fake.effects[key("a")].lease_until
        while attempts.fake.effects[key("a")].lease_until == first:
            await asyncio.sleep(0)
        reader.released.set()
        await running


class TestCrash:
    @pytest.mark.parametrize(("point", "step"), POINTS)
    @pytest.mark.parametrize("given", [TWO, WHOLE], ids=["part", "whole"])
    async def test_repeats_nothing_that_is_recorded(self, given: Program, point: str, step: str) -> None:
        reader = tool({"n": 1}, {"n": 2})
        attempts = Attempts(given, reader)
        await attempts.crashes(point, step)
        recorded = {effect.intent.key.step for effect in attempts.fake.effects.values() if effect.ref}
        result = await attempts.result()
        assert [outcome.command for outcome in result.outcomes] == ["a#1/call", "b#1/call"]
        made = steps_called(reader)
        assert all(made.count(step) == 1 for step in recorded)
        facts = [kind for kind in await attempts.kinds() if kind.startswith("workflow:")]
        assert len(facts) == len(set(facts)) == 6

    async def test_waits_for_the_lease_of_an_attempt_that_may_still_be_alive(self) -> None:
        attempts = Attempts(TWO, tool({"n": 1}))
        attempts.crash_at = ("after-intent", "b")
        with pytest.raises(CrashError):
            await attempts.attempt()
        await attempts.refused(EffectLeased)
        attempts.leases_end()
        assert len((await attempts.result()).outcomes) == 2

    async def test_after_the_end_was_written_writes_it_once(self) -> None:
        attempts = Attempts(WHOLE, tool({"n": 1}))
        assert (await attempts.result()).finished
        kinds = await attempts.kinds()
        assert (await attempts.result()).finished
        assert await attempts.kinds() == kinds

    async def test_three_times_leaves_the_call_to_an_activity_of_its_own(self) -> None:
        reader = tool({"n": 1})
        attempts = Attempts(TWO, reader)
        for _ in range(SEGMENT_ATTEMPTS):
            await attempts.crashes("after-intent", "b")
        result = await attempts.result()
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], "b#1/call")
        assert steps_called(reader) == ["a"]
        assert not is_final(attempts, "b")

    async def test_collects_what_was_recorded_without_calling_anything(self) -> None:
        reader = tool({"n": 1})
        attempts = Attempts(TWO, reader)
        await attempts.crashes("after-outcome", "a")
        result = await attempts.result(collect=True)
        assert [outcome.command for outcome in result.outcomes] == ["a#1/call"]
        assert (result.stopped, result.wait_s) == ("b#1/call", 0)
        assert len(reader.calls) == 1


class TestFailure:
    async def test_is_recorded_and_stops_the_segment_for_as_long_as_the_rule_says(self) -> None:
        given = reads(read("a"), read("b", retry=RetryRule(delay_s=7)), call("pay"))
        attempts = Attempts(given, tool({"n": 1}, ToolUnavailable("503")))
        result = await attempts.result()
        assert (result.stopped, result.wait_s) == ("b#1/call", 7)
        assert [outcome.command for outcome in result.outcomes] == ["a#1/call"]
        assert not is_final(attempts, "b")
        assert (await attempts.kinds())[-1] == "agent:tool:failed b"

    async def test_waits_as_long_as_the_tool_says(self) -> None:
        result = await Attempts(TWO, tool(ToolUnavailable("429", retry_after_s=3))).result()
        assert (result.stopped, result.wait_s) == ("a#1/call", 3)

    @pytest.mark.parametrize("error", [ToolFailed("no"), ValueError("a bug of the tool")])
    async def test_for_good_waits_for_nothing(self, error: Exception) -> None:
        attempts = Attempts(TWO, tool(error))
        result = await attempts.result()
        assert (result.stopped, result.wait_s) == ("a#1/call", 0)
        assert is_final(attempts, "a")

    async def test_of_the_only_try_is_for_good(self) -> None:
        given = reads(read("a", retry=RetryRule(max_attempts=1)), read("b"), max_attempts=5)
        attempts = Attempts(given, tool(ToolUnavailable("503")))
        assert (await attempts.result()).wait_s == 0
        assert is_final(attempts, "a")

    async def test_of_an_earlier_attempt_is_not_counted_as_the_calls(self) -> None:
        attempts = Attempts(reads(read("a"), read("b"), max_attempts=2), tool({"n": 1}, ToolUnavailable("503")))
        await attempts.crashes("after-intent", "a")
        await attempts.crashes("after-intent", "b")
        assert (await attempts.result()).stopped == "b#1/call"
        assert not is_final(attempts, "b")

    async def test_to_answer_in_time_is_told_as_such(self) -> None:
        reader = tool({})
        reader.released.clear()
        attempts = Attempts(reads(read("a"), read("b"), timeout_s=0.02), reader)
        assert (await attempts.result()).stopped == "a#1/call"
        assert (attempts.fake.effects[key("a")].error or {})["code"] == "tool-timed-out"
        assert reader.cancelled == 1

    async def test_that_is_recorded_for_good_stops_the_next_attempt_there(self) -> None:
        reader = tool({"n": 1}, ToolFailed("no"))
        attempts = Attempts(TWO, reader)
        await attempts.result()
        result = await attempts.result()
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], "b#1/call")
        assert len(reader.calls) == 2

    async def test_to_carry_the_output_on_leaves_it_to_the_call_alone(self) -> None:
        reader = tool({"n": "x" * PROJECTED_BYTES_MAX})
        attempts = Attempts(TWO, reader)
        for _ in range(2):
            result = await attempts.result()
            assert (result.stopped, result.outcomes, result.wait_s) == ("a#1/call", [], 0)
        assert len(reader.calls) == 1
        assert attempts.fake.effects[key("a")].ref is not None


class TestTime:
    async def test_that_is_short_ends_the_walk_between_calls(self) -> None:
        reader = tool({"n": 1})
        attempts = Attempts(TWO, reader)
        result = await attempts.result(deadline_s=4)
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], None)
        assert len(reader.calls) == 1
        assert key("b") not in attempts.fake.effects

    async def test_of_a_worker_that_stops_ends_the_walk_between_calls(self) -> None:
        reader = tool({"n": 1})
        reader.released.clear()
        environment = ActivityEnvironment()
        attempts = Attempts(TWO, reader)
        running = asyncio.create_task(attempts.result(environment=environment))
        await reader.begun.wait()
        environment.worker_shutdown()
        reader.released.set()
        result = await running
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], None)
