"""What is shown of sagas: the state of each step, from the stepper's state and from PostgreSQL, and that both tell the same."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.program import Program
from domain.saga_views import SagaView, saga_shapes, sagas_of_past, sagas_of_state
from domain.state import Unwound
from tests.domain.past_of import WORDS, Books, Execution
from tests.domain.play import Play
from tests.domain.programs import call, do, program, put, saga, switch
from tests.domain.test_stepper_properties import PROGRAMS

SETTLE = program(
    saga("s", call("s.a", undo="undo.a"), call("s.b", undo="undo.b", if_unknown="compensate"), call("s.c", tool="mail.send")), call("after")
)


def steps_of(view: SagaView) -> dict[str, str]:
    """Return the state of each step by its path."""
    return {step.step: step.state for step in view.steps}


def shown(play: Play, given: Program = SETTLE) -> tuple[str, dict[str, str]]:
    """Return the state of the one saga, and of its steps."""
    [view] = sagas_of_state(saga_shapes(given), play.state)
    return view.state, steps_of(view)


class TestState:
    def test_is_planned_before_it_begins_and_completed_after_it(self) -> None:
        play = Play(program(put("x", 1), call("before"), *SETTLE.steps))
        assert shown(play, play.stepper.program) == ("planned", dict.fromkeys(("s.a", "s.b", "s.c"), "planned"))
        for step in ("before", "s.a", "s.b"):
            play.done(step)
        assert shown(play, play.stepper.program) == ("running", {"s.a": "done", "s.b": "done", "s.c": "running"})
        play.done("s.c")
        assert shown(play, play.stepper.program)[0] == "completed"

    def test_tells_what_is_undone_and_how(self) -> None:
        play = Play(SETTLE)
        play.done("s.a")
        play.fail("s.b", "tool-timed-out", unknown=True)
        assert shown(play) == ("undoing", {"s.a": "undoing", "s.b": "undoing", "s.c": "planned"})
        unwinding = play.unwinding("s")
        play.apply(Unwound(command=unwinding.id, ended={"s.a": "undone", "s.b": "by_hand"}))
        assert shown(play) == ("undone", {"s.a": "undone", "s.b": "undone_by_hand", "s.c": "planned"})

    def test_says_that_something_stands_which_a_person_let_stand(self) -> None:
        play = Play(SETTLE)
        play.done("s.a")
        play.fail("s.b")
        play.apply(Unwound(command=play.unwinding("s").id, ended={"s.a": "given_up"}))
        assert shown(play) == ("failed", {"s.a": "kept", "s.b": "failed", "s.c": "planned"})

    def test_shows_an_inner_saga_beside_the_one_around_it(self) -> None:
        given = program(saga("s", do("s.d", call("s.d.a")), saga("s.t", switch("s.t.w", (None, [call("s.t.w.b")])), mode="parallel")))
        outer, inner = sagas_of_state(saga_shapes(given), Play(given).state)
        assert (outer.saga, outer.within, steps_of(outer)) == ("s", None, {"s.d.a": "running"})
        assert (inner.saga, inner.within, inner.mode, steps_of(inner)) == ("s.t", "s", "parallel", {"s.t.w.b": "planned"})


class TestPast:
    @pytest.mark.parametrize(
        ("words", "state", "steps"),
        [
            (["done", "done"], "completed", ["done", "done", "done"]),
            (["done", "failed"], "undone", ["undone", "failed", "planned"]),
            (["done", "unknown"], "undone", ["undone", "undone", "planned"]),
            (["done", "done", "failed", "unknown"], "failed", ["kept", "kept", "failed"]),
            (["done", "done", "failed", "failed"], "undone", ["undone_by_hand", "undone_by_hand", "failed"]),
        ],
    )
    def test_tells_how_each_step_ended(self, words: list[str], state: str, steps: list[str]) -> None:
        books = Books()
        Execution(SETTLE, books).run(words)
        [view] = sagas_of_past(saga_shapes(SETTLE), books.past(), ended=True)
        assert (view.state, list(steps_of(view).values())) == (state, steps)

    def test_of_a_run_that_goes_on_again_shows_the_latest_visit(self) -> None:
        books = Books()
        Execution(SETTLE, books).run(["done", "failed"]).redriven().run()
        [view] = sagas_of_past(saga_shapes(SETTLE), books.past(), ended=True)
        assert view.state == "completed"

    def test_of_a_lost_execution_leaves_its_last_call_unknown(self) -> None:
        books = Books()
        Execution(SETTLE, books).run(["done", "stop-begun"])
        [view] = sagas_of_past(saga_shapes(SETTLE), books.past(), ended=True)
        assert steps_of(view) == {"s.a": "done", "s.b": "unknown", "s.c": "planned"}
        assert view.state == "failed"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PROGRAMS, st.lists(st.sampled_from([*WORDS, "done", "done"]), max_size=20))
def test_both_sources_tell_the_same_at_the_end(given_program: Program, words: list[str]) -> None:
    books = Books()
    execution = Execution(given_program, books).run(words)
    from_state = sagas_of_state(saga_shapes(given_program), execution.play.state)
    from_past = sagas_of_past(saga_shapes(given_program), books.past(), ended=True)
    assert [view.saga for view in from_state] == [view.saga for view in from_past]
    for one, other in zip(from_state, from_past, strict=True):
        assert _told(one) == _told(other)


def _told(view: SagaView) -> dict[str, str]:
    """What a person said about a step in doubt at the unwinding stands in the workflow only: without it, the step stays unknown."""
    return {step: "failed" if state == "unknown" else state for step, state in steps_of(view).items()}
