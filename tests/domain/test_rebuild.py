"""Rebuilt states: from any point of any run the rest is done, nothing is done twice, and what was undone gets new keys (JOURNAL §2.7)."""

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import NotRedrivable
from domain.ledger import Kind
from domain.program import ApproveStep, CallStep, Program, Step
from domain.runs import RunStatus
from domain.state import AskApproval, CallTool, CompletePrompt, Finish, State, StepStatus, Unwind
from domain.stepper import walk
from tests.domain.past_of import STOPS, WORDS, Books, Execution
from tests.domain.play import RUN
from tests.domain.programs import agent, approve, call, pinned, program, put, saga
from tests.domain.test_stepper_properties import steps

FORK = RUN.model_copy(update={"run": "run_2"})


def often(examples: int) -> settings:
    """Return the settings of a property: it may be slow, and many drawn runs do not fit it."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def bound(found: list[Step]) -> list[Step]:
    """Bind each approval to the calls that follow it within its list, down to the next approval."""
    for place, step in enumerate(found):
        if isinstance(step, ApproveStep):
            after = found[place + 1 :]
            until = next((n for n, other in enumerate(after) if isinstance(other, ApproveStep)), len(after))
            step.binds[:] = [inner.path for inner in walk(after[:until]) if isinstance(inner, CallStep)]
    return found


def unsure(found: list[Step], choices: list[bool]) -> list[Step]:
    """Let some compensations be safe for what may not have happened."""
    for step, safe in zip(walk(found), choices, strict=False):
        if isinstance(step, CallStep) and step.compensate is not None and safe:
            step.compensate.if_unknown = "compensate"
    return found


PROGRAMS = st.builds(unsure, steps().map(bound), st.lists(st.booleans(), max_size=12)).map(lambda drawn: program(*drawn, output="done"))

GATED = program(approve("gate", binds=["s.a"]), saga("s", call("s.a", undo="bank.refund"), call("s.b")), output="done")

SAGAS = (
    steps("s", 1)
    .map(bound)
    .map(
        lambda drawn: program(
            approve("gate", binds=["s.a"]), saga("s", call("s.a", undo="bank.refund"), *drawn, call("s.b")), output="done"
        )
    )
)

TOLD_ONCE = (Kind.STEP_ENTERED, Kind.STEP_COMPLETED, Kind.APPROVAL_OPENED, Kind.RUN_STARTED)

EPOCH = st.tuples(st.lists(st.sampled_from(WORDS), max_size=10), st.sampled_from(STOPS)).map(lambda drawn: [*drawn[0], drawn[1]])
"""What befalls one execution; most end of themselves before they are stopped."""


def calls_of(given_program: Program) -> list[CallStep]:
    """Return the call steps."""
    return [step for step in walk(given_program.steps) if isinstance(step, CallStep)]


def outcome_of(state: State) -> dict[str, object]:
    """Return what a state says of the run, without times, ids and what is only on its way to the ledger.

    The visit of an open question is left out: it was withdrawn when the run was stopped, and is asked again as another one.
    """
    told = {"epoch", "fact_seq", "unacked", "last_fact_digest", "decisions", "visits", "pending", "tried", "bound"}
    waiting = [command for command in state.pending.values() if not isinstance(command, Finish)]
    seen = state.model_copy(deep=True)
    for command in waiting:
        seen.steps[command.step].visit = 0 if isinstance(command, AskApproval) else seen.steps[command.step].visit
    bound = {step: (each.arguments, each.unbound) for step, each in state.bound.items()}
    return {**seen.model_dump(exclude=told), "waiting": [command.step for command in waiting], "bound": bound}


def played(given_program: Program, epochs: list[list[str]]) -> tuple[Execution, Books]:
    """Play epoch after epoch, each redriven from the books; returns the last execution, which may not have ended."""
    books = Books()
    execution = Execution(given_program, books).run(epochs[0])
    for words in epochs[1:]:
        assume(not succeeded(execution))
        execution = execution.redriven().run(words)
    return execution, books


def succeeded(execution: Execution) -> bool:
    """Whether the run came to a good end."""
    finish = execution.play.state.pending.get("finish")
    return finish is not None and finish.kind == "finish" and finish.status is RunStatus.SUCCEEDED


class TestRedrive:
    @often(150)
    @given(PROGRAMS, st.integers(0, 12), st.sampled_from(STOPS))
    def test_of_a_run_in_which_all_went_well_has_the_state_it_had(self, given_program: Program, turns: int, stop: str) -> None:
        books = Books()
        execution = Execution(given_program, books).run(["done"] * turns + [stop])
        assume(not execution.play.state.finished and stop != "stop-recorded")
        assert outcome_of(execution.rebuilt().state) == outcome_of(execution.play.state)

    @often(300)
    @given(PROGRAMS, st.lists(EPOCH, min_size=1, max_size=3))
    @example(GATED, [["done", "done", "failed", "stop-second-try"]])
    @example(GATED, [["done", "done", "failed", "unknown"], ["failed", "stop-happened"]])
    @example(GATED, [["unknown"], ["done", "unknown", "unknown"], ["failed", "stop-begun"]])
    def test_goes_on_to_the_end_and_leaves_each_step_done_once(self, given_program: Program, epochs: list[list[str]]) -> None:
        execution, books = played(given_program, epochs)
        assume(not succeeded(execution))
        last = execution.redriven().run()
        assert (last.play.end.status, last.play.end.output) == (RunStatus.SUCCEEDED, "done")
        records = last.play.state.steps
        expected = {s.path: [records[s.path].visit] for s in calls_of(given_program) if done(last.play.state, s.path)}
        assert books.standing() == expected
        assert books.ledger[-1].kind == Kind.RUN_FINISHED
        assert books.ledger[-1].data["facts"] == len(books.ledger)

    @often(150)
    @given(PROGRAMS, st.lists(EPOCH, min_size=1, max_size=2))
    def test_asks_for_nothing_that_was_done_and_tells_no_fact_again_if_nothing_was_undone(
        self, given_program: Program, epochs: list[list[str]]
    ) -> None:
        execution, books = played(given_program, epochs)
        past = books.past()
        assume(not succeeded(execution) and not past.undone() and not past.half_undone())
        done_before = {key for key, effect in books.effects.items() if effect.done}
        assert not done_before & set(execution.redriven().run().requested)
        told = [(fact.kind, fact.step, fact.visit) for fact in books.ledger if fact.kind in TOLD_ONCE]
        assert len(told) == len(set(told))

    @often(150)
    @given(PROGRAMS, EPOCH)
    @example(GATED, ["done", "done", "failed", "stop-begun"])
    def test_tells_each_fact_once_in_an_epoch(self, given_program: Program, words: list[str]) -> None:
        execution, books = played(given_program, [words])
        assume(not succeeded(execution))
        execution.redriven().run()
        told = [(fact.epoch, fact.kind, fact.step, fact.visit) for fact in books.ledger if fact.kind in TOLD_ONCE]
        assert len(told) == len(set(told))

    @often(60)
    @given(SAGAS, st.integers(2, 8), st.sampled_from(["stop-begun", "stop-happened", "stop-second-try"]))
    def test_ends_what_is_half_undone_before_anything_else(self, given_program: Program, turns: int, stop: str) -> None:
        execution, books = played(given_program, [["done"] * turns + ["failed", stop]])
        half = books.past().half_undone()
        assume(half and not execution.play.state.finished)
        first = execution.redriven()
        [command] = first.play.last
        assert isinstance(command, Unwind)
        assert [(undo.step, undo.visit) for undo in command.undo] == [effect.place for effect in half]

    @often(60)
    @given(PROGRAMS)
    def test_of_a_run_stopped_just_before_its_end_comes_to_it(self, given_program: Program) -> None:
        books = Books()
        execution = Execution(given_program, books).run()
        books.ledger = [fact for fact in books.ledger if fact.kind != Kind.RUN_FINISHED]
        last = execution.redriven().run()
        assert (last.asked, succeeded(last)) == ([], True)
        assert [fact.kind for fact in books.ledger].count(Kind.RUN_FINISHED) == 1
        assert books.ledger[-1].data["facts"] == len(books.ledger)


def done(state: State, path: str) -> bool:
    """Whether a step succeeded."""
    return path in state.steps and state.steps[path].status is StepStatus.SUCCEEDED


class TestQuestion:
    @pytest.mark.parametrize("word", ["failed", "stop-begun"])
    def test_that_had_no_yes_is_asked_again_as_another(self, word: str) -> None:
        execution, books = played(GATED, [[word]])
        [first] = books.approvals.values()
        again = execution.redriven()
        asked = again.play.asking("gate")
        assert (asked.visit, asked.approval.approval != first.opened.approval) == (2, True)
        again.run()
        assert [fact.visit for fact in books.ledger if fact.kind == Kind.APPROVAL_OPENED] == [1, 2]

    def test_that_had_a_yes_keeps_it_for_a_call_that_was_refused(self) -> None:
        execution, books = played(GATED, [["done", "failed"]])
        [given] = books.approvals.values()
        assert execution.redriven().play.calling("s.a").approval == given.opened.approval

    def test_is_asked_again_when_its_call_was_made_and_undone(self) -> None:
        execution, _ = played(GATED, [["done", "done", "failed"]])
        assert execution.redriven().play.asking("gate").visit == 2


class TestRefusedCall:
    def test_is_made_anew_under_another_key_when_it_surely_did_not_happen(self) -> None:
        execution, books = played(GATED, [["done", "failed", "stop"]])
        assert [key for key in execution.redriven().run().asked if key[0] == "s.a"] == [("s.a", 2, "call")]
        assert books.standing()["s.a"] == [2]

    def test_is_repeated_under_its_own_key_when_it_may_have_happened(self) -> None:
        execution, books = played(GATED, [["done", "unknown", "unknown"]])
        again = execution.redriven()
        assert again.play.state.tried == {"s.a#1/call": 1}
        assert [key for key in again.run().asked if key[0] == "s.a"] == [("s.a", 1, "call")]
        assert books.standing()["s.a"] == [1]


class TestHalfDoneUndo:
    @pytest.mark.parametrize(("stop", "call"), [("stop-begun", "compensate"), ("stop-second-try", "compensate.2")])
    def test_goes_on_with_its_last_try_under_its_own_key(self, stop: str, call: str) -> None:
        execution, books = played(GATED, [["done", "done", "failed", stop]])
        execution.redriven().run(["done"])
        assert [key for key, effect in books.effects.items() if key[2].startswith("compensate") and effect.done] == [("s.a", 1, call)]

    def test_comes_before_the_question_that_is_asked_again(self) -> None:
        execution, _ = played(GATED, [["done", "done", "failed", "stop-begun"]])
        again = execution.redriven()
        assert [command.kind for command in again.play.last] == ["unwind"]
        again.run(["done", "stop"])
        assert [(each.kind, each.visit) for each in again.play.state.pending.values() if isinstance(each, AskApproval)] == [
            ("ask_approval", 2)
        ]


class TestRefusal:
    def test_names_the_step_that_would_only_fail_again(self) -> None:
        given_program = program(call("a"), put("b", "${ steps.a.output.absent }"))
        execution, _ = played(given_program, [["done"]])
        with pytest.raises(NotRedrivable, match="step b fails with expression-failed"):
            execution.rebuilt()

    def test_is_told_of_an_output_that_would_only_fail_again(self) -> None:
        execution, _ = played(program(call("a"), output="${ steps.a.output.absent }"), [["done"]])
        with pytest.raises(NotRedrivable, match="its output fails"):
            execution.rebuilt()


def turn(number: int, **more: JsonValue) -> JsonValue:
    """Build the stored outcome of a model call."""
    return {"stop": "answered", "head": {"count": 2 * number, "digest": "h"}, "calls": [], "problems": [], "answer": "yes", **more}


def looking(command: CallTool | CompletePrompt) -> JsonValue:
    """Let the model ask for two calls, then answer."""
    asked: list[JsonValue] = [{"vendor_id": f"v{n}", "name": "log.read", "arguments": {"n": n}} for n in range(2)]
    if isinstance(command, CallTool):
        return {"found": command.arguments.get("n")}
    return turn(1, stop="tool_calls", calls=asked) if command.call == "1.model" else turn(2)


def refusing(_command: CallTool | CompletePrompt) -> JsonValue:
    """Let the model decline."""
    return turn(1, stop="refused")


READ = pinned("log.read", effect_class=EffectClass.READ)
JUDGE = program(agent("judge", tools=["log.read"]), output="${ steps.judge.output }", tools=[READ], projections={"judge": [""]})


class TestAgent:
    @pytest.mark.parametrize(
        "words", [["done"], ["done", "done"], ["done", "failed"], ["done", "failed", "done"], ["done", "done", "done"]]
    )
    def test_goes_on_in_mid_conversation(self, words: list[str]) -> None:
        books = Books()
        execution = Execution(JUDGE, books, answer=looking).run([*words, "stop"])
        assert outcome_of(execution.rebuilt().state) == outcome_of(execution.play.state)

    def test_goes_on_at_the_turn_that_failed(self) -> None:
        books = Books()
        execution = Execution(JUDGE, books, answer=looking).run(["done", "done", "done", "failed"])
        last = execution.redriven().run()
        assert last.requested == [("judge", 1, "2.model")]
        assert succeeded(last)

    def test_begins_anew_when_the_model_declined(self) -> None:
        books = Books()
        Execution(JUDGE, books, answer=refusing).run()
        last = Execution(JUDGE, books, answer=looking).redriven().run()
        assert {visit for _, visit, _ in last.requested} == {2}
        assert succeeded(last)
