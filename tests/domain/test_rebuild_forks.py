"""Forks begin in a rebuilt state: what came before is referenced and never repeated, what follows is the fork's own (JOURNAL §2.7)."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from domain.errors import UnreachedStep
from domain.ledger import Kind
from domain.program import CallStep, Program, SagaStep
from domain.rebuild import rebuild_for_fork
from domain.runs import RunStatus
from domain.state import CallTool, State
from domain.step_paths import paths_of
from domain.stepper import walk
from tests.domain.past_of import WORDS, Books, Execution, tick
from tests.domain.play import RUN
from tests.domain.programs import call, program, saga
from tests.domain.test_rebuild import EPOCH, GATED, JUDGE, PROGRAMS, READ, calls_of, done, looking, often, played

FORK = RUN.model_copy(update={"run": "run_2"})


def fork(given_program: Program, books: Books, at: str, *, simulate: bool = False) -> State:
    """Return the state of a fork."""
    return rebuild_for_fork(given_program, FORK, books.past(), at, tick(), simulate=simulate).state


@st.composite
def parents(draw: st.DrawFn) -> tuple[Program, Books, str]:
    """Draw a program, the books of a run of it that went well as far as it went, and a step that it came to."""
    given_program = draw(PROGRAMS)
    books = Books()
    execution = Execution(given_program, books).run(["done"] * draw(st.integers(0, 12)) + [draw(st.sampled_from(["stop", "done"]))])
    at = draw(st.sampled_from(sorted(execution.play.state.steps)))
    if any(isinstance(step, SagaStep) and step.mode == "parallel" for step in walk(given_program.steps)):
        try:
            fork(given_program, books, at)
        except UnreachedStep as beside:
            assume("runs beside" not in beside.detail)
            raise
    return given_program, books, at


class TestBeside:
    def test_a_branch_without_an_outcome_cannot_be_forked_away(self) -> None:
        given_program = program(saga("s", call("s.a"), call("s.b"), mode="parallel"))
        books = Books()
        Execution(given_program, books).run(["stop"])
        with pytest.raises(UnreachedStep, match=r"'s\.a', which runs beside 's\.b': fork at 's\.a'"):
            fork(given_program, books, "s.b")


class TestFork:
    @often(200)
    @given(parents())
    def test_makes_nothing_before_its_step_and_all_from_there_on(self, parent: tuple[Program, Books, str]) -> None:
        given_program, books, at = parent
        own = Books()
        last = Execution(given_program, own, state=fork(given_program, books, at)).run()
        assert (last.play.end.status, last.play.end.output) == (RunStatus.SUCCEEDED, "done")
        order = paths_of(given_program)
        before = set(order[: order.index(at)])
        assert not {key[0] for key in last.asked} & before
        expected = {s.path: [1] for s in calls_of(given_program) if s.path not in before and done(last.play.state, s.path)}
        assert own.standing() == expected

    @often(100)
    @given(parents())
    def test_references_what_its_parent_did_before(self, parent: tuple[Program, Books, str]) -> None:
        given_program, books, at = parent
        state = fork(given_program, books, at)
        order = paths_of(given_program)
        for path in order[: order.index(at)]:
            if path in state.steps and isinstance(next(s for s in walk(given_program.steps) if s.path == path), CallStep):
                effect = books.effects.get((path, state.steps[path].visit, "call"))
                assert state.steps[path].ref == (effect.output_ref if effect else None)
        assert at not in state.steps

    @often(100)
    @given(parents(), st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
    @example((GATED, Execution(GATED, Books()).run().books, "s.b"), ["failed"])
    def test_undoes_only_what_it_did_itself(self, parent: tuple[Program, Books, str], words: list[str]) -> None:
        given_program, books, at = parent
        own = Books()
        Execution(given_program, own, state=fork(given_program, books, at)).run(words)
        assert own.undone() <= {key[:2] for key in own.effects if key[2] == "call"}

    @often(100)
    @given(parents())
    def test_has_a_ledger_of_its_own(self, parent: tuple[Program, Books, str]) -> None:
        given_program, books, at = parent
        own = Books()
        Execution(given_program, own, state=fork(given_program, books, at)).run()
        assert (own.ledger[0].kind, own.ledger[0].seq, own.ledger[0].epoch) == (Kind.RUN_STARTED, 1, 1)
        assert own.ledger[0].data["at"] == at
        assert own.ledger[-1].data["facts"] == len(own.ledger)

    @often(100)
    @given(parents())
    def test_simulates_each_call_with_its_parents_outcome_of_the_same_call(self, parent: tuple[Program, Books, str]) -> None:
        given_program, books, at = parent
        execution = Execution(given_program, Books(), state=fork(given_program, books, at, simulate=True))
        while execution.play.waiting:
            command = next(iter(execution.play.state.pending.values()))
            if isinstance(command, CallTool):
                known = books.effects.get((command.step, 1, "call"))
                assert (command.simulate, command.simulated_from) == (True, known.output_ref if known and known.done else None)
            execution.run(["done", "stop"])

    @often(150)
    @given(PROGRAMS, st.lists(EPOCH, min_size=1, max_size=2), st.data())
    def test_of_a_run_that_went_badly_is_refused_or_stands_on_what_stood(
        self, given_program: Program, epochs: list[list[str]], data: st.DataObject
    ) -> None:
        _, books = played(given_program, epochs)
        at = data.draw(st.sampled_from(paths_of(given_program)))
        try:
            state = fork(given_program, books, at)
        except UnreachedStep as refused:
            assert refused.where == "/at"  # noqa: PT017 - a refusal is one of two right answers
            return
        standing = books.standing()
        for step in calls_of(given_program):
            if done(state, step.path):
                assert standing.get(step.path) == [state.steps[step.path].visit]

    def test_keeps_its_answer_in_a_fork_after_it(self) -> None:
        given_program = program(*JUDGE.steps, call("pay"), output="${ steps.judge.output }", tools=[READ], projections={"judge": [""]})
        books = Books()
        Execution(given_program, books, answer=looking).run()
        last = Execution(given_program, Books(), state=fork(given_program, books, "pay")).run()
        assert (last.requested, last.play.end.output) == ([("pay", 1, "call")], "yes")


class TestRefusal:
    def test_names_the_steps_that_there_are_and_those_the_run_came_to(self) -> None:
        _, books = played(GATED, [["done", "stop"]])
        with pytest.raises(UnreachedStep, match=r"its steps are gate, s, s\.a, s\.b"):
            fork(GATED, books, "s.c")
        with pytest.raises(UnreachedStep, match=r"it came to gate, s, s\.a"):
            fork(GATED, books, "s.b")
