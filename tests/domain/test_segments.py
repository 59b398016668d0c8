"""Segments: which steps may share an activity, what such an activity carries, and that both sides of it walk alike."""

import pytest
from pydantic import JsonValue

from domain.effects import EffectClass, RetryClass
from domain.envelope import Receipt
from domain.program import Execution, PinnedTool, Program, Step
from domain.runs import RunStatus
from domain.segments import CALLS_MAX, SEGMENT_BYTES_MAX, Segment, SegmentPlanner, has_segments
from domain.state import CallTool, Command, Done, Finish, Simulation
from tests.domain.play import RUN, Play
from tests.domain.programs import agent, approve, call, do, pinned, program, put, saga, switch

READ = pinned("log.read", effect_class=EffectClass.READ)
PAY = pinned("bank.pay")


def read(path: str, **more: object) -> Step:
    """Build a quick read."""
    return call(path, tool="log.read", **more)  # pyright: ignore[reportArgumentType] - call's own keywords


def quick(
    *steps: Step, execution: Execution | None = None, tools: tuple[PinnedTool, ...] = (), output: JsonValue = None, **more: object
) -> Program:
    """Build a program whose reads may share activities."""
    made = program(*steps, output=output, tools=(READ, *tools))
    return made.model_copy(update={"execution": execution, **more})


def planned(given: Program, play: Play | None = None) -> Segment | None:
    """Return the segment that begins where a run stands, at its start if it is not told."""
    play = play or Play(given)
    return SegmentPlanner(given, play.stepper.run).plan(play.state, play.last, play.tick())


def paths(given: Program, play: Play | None = None) -> list[str]:
    """Return the steps of the segment that begins there; none when there is no segment."""
    segment = planned(given, play)
    return [] if segment is None else segment.paths


class TestSegment:
    def test_takes_in_consecutive_quick_reads_and_what_is_computed_between_them(self) -> None:
        given = quick(read("a"), put("x", "${ steps.a.output }"), read("b"), call("pay"))
        assert paths(given) == ["a", "x", "b"]

    def test_ends_before_a_call_that_changes_the_world(self) -> None:
        assert paths(quick(read("a"), read("b"), call("pay"), read("c"))) == ["a", "b"]

    def test_is_not_worth_it_for_one_call_unless_the_run_ends_with_it(self) -> None:
        assert paths(quick(read("a"), call("pay"))) == []
        assert paths(quick(read("a"), put("x", 1))) == ["a", "x"]

    def test_is_whole_when_the_run_ends_with_it(self) -> None:
        whole, part = planned(quick(read("a"), output=1)), planned(quick(read("a"), read("b"), call("pay"), output=1))
        assert whole is not None
        assert part is not None
        assert (whole.whole, whole.program.output) == (True, 1)
        assert (part.whole, part.program.output) == (False, None)

    def test_takes_in_containers_of_quick_steps_with_every_branch(self) -> None:
        branches = switch("s", ("true", [read("s.x")]), (None, [put("s.y", 1), read("s.z")]))
        assert paths(quick(do("d", read("d.a"), read("d.b")), branches)) == ["d.a", "d.b"]
        assert paths(quick(read("a"), do("d", read("d.b")), branches)) == ["a", "d", "s"]

    def test_leaves_out_a_container_with_one_step_that_may_not_be_inside(self) -> None:
        assert paths(quick(read("a"), read("b"), do("d", read("d.c"), call("d.pay")))) == ["a", "b"]
        assert paths(quick(read("a"), read("b"), switch("s", ("true", [read("s.c")]), (None, [approve("s.ask")])))) == ["a", "b"]

    def test_stays_within_the_list_of_steps_it_begins_in(self) -> None:
        segment = planned(quick(do("d", read("d.a"), read("d.b")), read("c")))
        assert segment is not None
        assert (segment.paths, segment.whole) == (["d.a", "d.b"], False)

    def test_may_lie_inside_a_saga_but_holds_none(self) -> None:
        assert paths(quick(saga("s", read("s.a"), read("s.b"), call("s.pay", undo="bank.refund")))) == ["s.a", "s.b"]
        assert paths(quick(read("a"), read("b"), saga("s", read("s.c")))) == ["a", "b"]

    def test_takes_in_steps_with_conditions_and_made_outputs(self) -> None:
        assert paths(quick(read("a"), read("b", when="false"), read("c", output_as={"x": "${ self.output }"}))) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "tool",
        [
            pinned("t", effect_class=EffectClass.WRITE),
            pinned("t", effect_class=EffectClass.MONEY),
            pinned("t", effect_class=EffectClass.READ, retry_class=RetryClass.AT_MOST_ONCE),
            pinned("t", effect_class=EffectClass.READ, timeout_s=10.1),
            pinned("t", effect_class=EffectClass.READ, heartbeat_s=1),
        ],
        ids=["write", "money", "at most once", "slow", "heartbeat"],
    )
    def test_leaves_out_a_call_whose_tool_is_not_a_quick_read(self, tool: PinnedTool) -> None:
        given = quick(read("a"), read("b"), call("c", tool="t"), tools=(tool,))
        assert paths(given) == ["a", "b"]

    def test_takes_in_a_read_that_promises_to_answer_within_ten_seconds(self) -> None:
        tool = pinned("t", effect_class=EffectClass.READ, timeout_s=10)
        assert paths(quick(read("a"), call("b", tool="t"), tools=(tool,))) == ["a", "b"]

    @pytest.mark.parametrize(
        "step",
        [
            read("c", timeout_s=5),
            do("c", read("c.x"), timeout_s=5),
            call("c", tool="log.read", undo="bank.pay"),
            agent("c"),
            approve("c"),
        ],
        ids=["timeout", "timeout around", "compensate", "agent", "approve"],
    )
    def test_leaves_out_a_step_that_needs_more_than_a_quick_call(self, step: Step) -> None:
        assert paths(quick(read("a"), read("b"), step, read("d"))) == ["a", "b"]

    def test_does_not_begin_while_a_deadline_runs_around_it(self) -> None:
        assert paths(quick(do("d", read("d.a"), read("d.b"), timeout_s=60), read("c"))) == []

    def test_leaves_out_a_bound_call(self) -> None:
        given = quick(approve("gate", binds=["b"]), read("a"), read("b"), read("c"), execution="segment")
        play = Play(given)
        play.decide("gate", "approve")
        assert paths(given, play) == []
        assert "b" in play.state.bound

    def test_begins_nowhere_in_a_run_that_is_being_cancelled(self) -> None:
        given = quick(read("a"), read("b"))
        play = Play(given)
        asked = play.last
        play.cancel()
        play.last = asked
        assert paths(given, play) == []

    def test_begins_with_no_call_that_a_segment_has_tried_before(self) -> None:
        given = quick(read("a"), read("b"))
        play = Play(given)
        play.state.tried = {"a#1/call": 1}
        assert paths(given, play) == []

    def test_runs_step_by_step_when_it_is_over_its_size(self) -> None:
        fits = quick(read("a", arguments={"x": "y" * (SEGMENT_BYTES_MAX // 2 - 3000)}), read("b"))
        large = quick(read("a", arguments={"x": "y" * SEGMENT_BYTES_MAX}), read("b"))
        assert paths(fits) == ["a", "b"]
        assert paths(large) == []

    def test_has_so_many_calls_at_most(self) -> None:
        assert len(paths(quick(*(read(f"a{n}") for n in range(CALLS_MAX + 5))))) == CALLS_MAX

    def test_has_time_for_all_its_calls_but_two_minutes_at_most(self) -> None:
        three, many = planned(quick(*(read(f"a{n}") for n in range(3)))), planned(quick(*(read(f"a{n}") for n in range(60))))
        assert three is not None
        assert many is not None
        assert (three.deadline_s, many.deadline_s) == (15, 120)

    def test_simulates_what_the_run_simulates(self) -> None:
        given = quick(read("a"), call("pay"), execution="segment")
        play = Play(given)
        play.state.simulation = Simulation()
        segment = planned(given, play)
        assert segment is not None
        inside = Walked(Segment.of_request(segment.to_request()))
        inside.done({})
        assert inside.asked.simulate


class TestExecution:
    def test_of_a_definition_gives_every_call_an_activity_of_its_own(self) -> None:
        given = quick(read("a"), read("b"), execution="steps")
        assert paths(given) == []
        assert not has_segments(given)

    def test_of_a_step_keeps_that_step_out(self) -> None:
        assert paths(quick(read("a"), read("b"), read("c", execution="steps"), read("d"))) == ["a", "b"]
        assert paths(quick(read("a", execution="steps"), read("b"), read("c"))) == []

    def test_of_a_block_keeps_the_block_out(self) -> None:
        given = quick(read("a"), read("b"), do("d", read("d.x"), read("d.y"), execution="steps"))
        assert paths(given) == ["a", "b"]
        play = Play(given)
        play.done("a")
        play.done("b")
        assert paths(given, play) == []

    def test_of_a_block_asks_for_segments_in_a_definition_of_single_steps(self) -> None:
        given = quick(do("d", read("d.x"), read("d.y"), execution="segment"), read("z"), execution="steps")
        assert has_segments(given)
        assert paths(given) == ["d.x", "d.y"]

    def test_that_asks_for_segments_takes_in_writes_and_calls_up_to_a_minute(self) -> None:
        tool = pinned("t", effect_class=EffectClass.WRITE, timeout_s=60)
        steps = (read("a"), call("b", tool="t"), call("pay"))
        assert paths(quick(*steps, tools=(tool,))) == []
        assert paths(quick(*steps, tools=(tool,), execution="segment")) == ["a", "b", "pay"]

    @pytest.mark.parametrize(
        "tool",
        [
            pinned("t", retry_class=RetryClass.AT_MOST_ONCE),
            pinned("t", timeout_s=60.1),
            pinned("t", heartbeat_s=1),
        ],
        ids=["at most once", "slow", "heartbeat"],
    )
    def test_that_asks_for_segments_still_leaves_out(self, tool: PinnedTool) -> None:
        assert paths(quick(read("a"), read("b"), call("c", tool="t"), tools=(tool,), execution="segment")) == ["a", "b"]

    def test_of_an_inner_step_wins_over_that_around_it(self) -> None:
        given = quick(read("a"), do("d", read("d.x"), call("d.pay", execution="steps"), execution="segment"))
        assert paths(given) == []
        given = quick(read("a"), do("d", call("d.pay"), execution="segment"))
        assert paths(given) == ["a", "d"]

    def test_of_a_program_from_before_segments_is_step_by_step(self) -> None:
        old = quick(read("a"), read("b")).model_dump(mode="json", exclude={"execution"})
        assert not has_segments(Program.model_validate(old))


class Walked:
    """A segment as its activity walks it: from the wire, with the segment's own stepper."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.stepper = segment.stepper(tenant=RUN.tenant, run=RUN.run, principal=RUN.principal, facts=[])
        self.outcomes: list[Done] = []
        self.last: list[Command] = self.stepper.start(segment.tick)

    @property
    def asked(self) -> CallTool:
        """The call that it asks for."""
        [command] = [command for command in self.last if isinstance(command, CallTool)]
        return command

    def done(self, output: JsonValue) -> None:
        """Let the call succeed."""
        self.outcomes.append(Done(command=self.asked.id, receipt=Receipt(fields={"": output})))
        self.last = self.stepper.apply(self.outcomes[-1], self.segment.tick)


class TestWalk:
    def test_notes_the_same_facts_on_both_sides(self) -> None:
        branches = switch("s", ("steps.a.output.n > 1", [read("s.x")]), (None, [read("s.y")]))
        given = quick(put("z", None), read("a", arguments={"k": None}), branches, read("c", when="false"), output={"n": None})
        play = Play(given)
        segment = planned(given, play)
        assert segment is not None
        seen = list(play.state.unacked)
        walked = Walked(Segment.of_request(segment.to_request()))
        assert walked.asked == play.calling("a")
        walked.done({"n": 2, "none": None})
        assert walked.asked.step == "s.x"
        walked.done(None)
        assert [command.kind for command in walked.last] == ["finish"]
        for outcome in walked.outcomes:
            play.last = play.stepper.apply(outcome, segment.tick)
        assert play.last == walked.last
        assert play.state.unacked == [*seen, *walked.stepper.state.unacked]
        assert play.state.last_fact_digest == walked.stepper.state.last_fact_digest

    def test_stops_where_the_segment_ends_and_leaves_what_follows_to_the_workflow(self) -> None:
        walked = Walked(self.segment(quick(read("a"), read("b"), call("pay"))))
        walked.done(1)
        walked.done(2)
        assert walked.last == []
        assert not walked.stepper.state.finished

    def test_leaves_a_failure_between_calls_to_the_workflow(self) -> None:
        walked = Walked(self.segment(quick(read("a"), put("x", "${ steps.a.output.missing }"), read("b"))))
        walked.done({})
        assert walked.last == []
        assert not walked.stepper.state.finished

    def test_of_a_whole_run_tells_that_its_output_cannot_be_made(self) -> None:
        walked = Walked(self.segment(quick(read("a"), output="${ steps.a.output.missing }")))
        walked.done({})
        [finish] = walked.last
        assert isinstance(finish, Finish)
        assert finish.status is RunStatus.FAILED

    def test_reads_what_was_before_it(self) -> None:
        given = quick(read("a"), call("pay"), read("b", arguments={"x": "${ steps.a.output.n }"}), read("c"))
        play = Play(given)
        play.done("a", {"n": 7})
        play.done("pay")
        segment = planned(given, play)
        assert segment is not None
        assert Walked(Segment.of_request(segment.to_request())).asked.arguments == {"x": 7}

    def test_carries_no_references_and_nothing_of_other_steps(self) -> None:
        given = quick(read("a"), call("pay"), read("b"), read("c"))
        play = Play(given)
        play.done("a", {"n": 7})
        play.done("pay")
        segment = planned(given, play)
        assert segment is not None
        assert "ref-a" not in segment.model_dump_json()
        assert set(segment.program.tools) == {"log.read"}
        assert segment.state.unacked == []

    def test_carries_of_the_steps_before_only_what_it_reads(self) -> None:
        reads = (
            read("x", arguments={"n": "${ steps.a.output.n }"}),
            read("y", when="steps.d.inner.output.n > 0", output_as="${ steps.b.status }"),
            switch("s", ("steps.c.output.n > 0", [put("s.v", "${ steps.x.output }")])),
        )
        before = (read("a"), read("b"), read("c"), do("d", read("d.inner"), read("d.other")), read("unread"), read("end"))
        given = quick(*before, call("pay"), *reads, output="${ steps.end.output }")
        play = Play(given)
        for path in ("a", "b", "c", "d.inner", "d.other", "unread", "end", "pay"):
            play.done(path, {"n": 1})
        segment = planned(given, play)
        assert segment is not None
        assert segment.whole
        assert set(segment.state.steps) == {"a", "b", "c", "d", "d.inner", "end", "x"}

    def segment(self, given: Program) -> Segment:
        """Return the segment a run of a program begins with."""
        segment = planned(given)
        assert segment is not None
        return Segment.of_request(segment.to_request())


class TestSummary:
    def test_names_the_first_and_the_last_step(self) -> None:
        one, three = planned(quick(read("a"))), planned(quick(read("a"), put("x", 1), read("b"), call("pay")))
        assert one is not None
        assert three is not None
        assert (one.summary, three.summary) == ("a", "a … b (3 steps)")
