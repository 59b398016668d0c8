"""Random programs under random outcomes: what must hold of every run, and that a saved state goes on as if nothing had been."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.program import CallStep, DoStep, Program, SagaStep, Step, SwitchStep
from domain.runs import RunStatus
from domain.state import (
    AskApproval,
    CallTool,
    CancelRequested,
    Command,
    Decided,
    Done,
    Failed,
    Failure,
    Finish,
    Outcome,
    State,
    StepStatus,
    Unwind,
    Unwound,
)
from domain.stepper import walk
from tests.domain.play import RUN, Play
from tests.domain.programs import approve, call, do, program, put, saga, switch

OUTCOMES = ("done", "done", "done", "done", "failed", "unknown", "cancel")


@st.composite
def steps(draw: st.DrawFn, path: str = "", depth: int = 0) -> list[Step]:
    """Draw a list of steps under a path."""
    found: list[Step] = []
    for place in range(draw(st.integers(1, 3))):
        here = f"{path}.n{place}".lstrip(".")
        kinds = ["call", "undoable", "set", "approve"] + ([] if depth >= 3 else ["do", "saga", "saga", "switch"])
        found.append(_step(draw, draw(st.sampled_from(kinds)), here, depth))
    return found


def _step(draw: st.DrawFn, kind: str, here: str, depth: int) -> Step:
    when = draw(st.sampled_from([None, None, None, "input.n > 0", "false"]))
    if kind == "call":
        return call(here, when=when)
    if kind == "undoable":
        return call(here, undo="bank.refund", when=when)
    if kind == "set":
        return put(here, "${ input.n }", when=when)
    if kind == "approve":
        return approve(here, when=when, on_timeout=draw(st.sampled_from(["approve", "reject", "fail"])))
    inner = draw(steps(here, depth + 1))
    if kind == "do":
        return do(here, *inner, when=when)
    if kind == "saga":
        return saga(here, *inner, when=when, mode=draw(st.sampled_from(["sequential", "sequential", "parallel"])))
    return switch(here, ("input.n > 5", [put(f"{here}.x", 1)]), (None, inner), when=when)


PROGRAMS = steps().map(lambda drawn: program(*drawn, output="done"))


@dataclass
class World:
    """What happened outside: effects done, effects undone, in order."""

    done: list[str] = field(default_factory=list[str])
    undone: list[str] = field(default_factory=list[str])
    surely_not: set[str] = field(default_factory=set[str])

    def outcome(self, command: Command, word: str) -> Outcome:
        """Let a command end, and note what that did to the world."""
        if isinstance(command, Unwind):
            self.undone.extend(undo.step for undo in command.undo)
            return Unwound(command=command.id)
        if isinstance(command, AskApproval):
            verdict = {"done": "approve", "failed": "reject", "unknown": "timed_out"}[word]
            return Decided.model_validate({"command": command.id, "verdict": verdict, "decided_by": "prn_reviewer"})
        assert isinstance(command, CallTool)
        if word == "done":
            self.done.append(command.step)
            return Done.model_validate({"command": command.id, "receipt": {"fields": {"": {"ok": True}}}})
        if word == "failed":
            self.surely_not.add(command.step)
        failure = Failure(code="tool-failed", detail="no", step=command.step, unknown=word == "unknown")
        return Failed(command=command.id, failure=failure)


def next_outcome(play: Play, world: World, words: list[str]) -> Outcome | None:
    """Draw the next outcome of the run, None at its end."""
    waiting = [command for command in play.state.pending.values() if not isinstance(command, Finish)]
    if not waiting:
        return None
    word = words.pop(0) if words else "done"
    if word == "cancel":
        return CancelRequested()
    return world.outcome(waiting[0], word)


def reloaded(play: Play) -> Play:
    """Return the run as continue-as-new would go on with it, from JSON."""
    again = Play(play.stepper.program, state=State.model_validate_json(play.state.model_dump_json()))
    again.now, again._turn = play.now, play._turn  # pyright: ignore[reportPrivateUsage] - the same clock and entropy as its twin
    return again


def undoable(given_program: Program) -> dict[str, list[str]]:
    """Return the sagas around each step with a compensation, outermost first."""
    sagas = [step.path for step in walk(given_program.steps) if isinstance(step, SagaStep)]
    paths = [step.path for step in walk(given_program.steps) if isinstance(step, CallStep) and step.compensate is not None]
    return {path: sorted(each for each in sagas if path.startswith(each + ".")) for path in paths}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PROGRAMS, st.lists(st.sampled_from(OUTCOMES), max_size=25))
def test_every_run_ends_with_its_effects_undone_or_kept(given_program: Program, words: list[str]) -> None:
    play, world = Play(given_program), World()
    left = list(words)
    for _ in range(500):
        outcome = next_outcome(play, world, left)
        if outcome is None:
            break
        play.apply(outcome)
    assert play.state.finished
    assert sum(isinstance(command, Finish) for command in play.state.pending.values()) == 1
    assert len(world.undone) == len(set(world.undone)), "two compensations for a step"
    assert not world.surely_not & set(world.undone)
    for path, around in undoable(given_program).items():
        kept = not around or play.state.steps.get(around[0], None) is None or play.state.steps[around[0]].status is StepStatus.SUCCEEDED
        if path in world.done:
            assert (path in world.undone) is not kept
    assert [fact.seq for fact in play.state.unacked] == list(range(1, play.state.fact_seq + 1))
    assert play.state.unacked[-1].data["facts"] == play.state.fact_seq


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PROGRAMS, st.lists(st.sampled_from(OUTCOMES), max_size=25))
def test_a_run_saved_and_loaded_at_every_point_gives_the_same_commands(given_program: Program, words: list[str]) -> None:
    play, world = Play(given_program), World()
    left = list(words)
    while (outcome := next_outcome(play, world, left)) is not None:
        twin = reloaded(play)
        assert [c.model_dump() for c in twin.last] == [c.model_dump() for c in play.state.pending.values()]
        assert twin.state == play.state, "a restart adds nothing"
        assert [c.model_dump() for c in twin.apply(outcome)] == [c.model_dump() for c in play.apply(outcome)]
        assert twin.state.model_dump_json() == play.state.model_dump_json()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PROGRAMS)
def test_a_run_in_which_all_goes_well_reaches_every_step_it_should(given_program: Program) -> None:
    play, world = Play(given_program), World()
    while (outcome := next_outcome(play, world, [])) is not None:
        play.apply(outcome)
    assert (play.end.status, play.end.output) == (RunStatus.SUCCEEDED, "done")
    assert world.undone == []
    entered = {path for path, record in play.state.steps.items() if record.status is StepStatus.SUCCEEDED}
    expected = {step.path for step in _reached(given_program.steps)}
    assert entered == expected


def _reached(given_steps: list[Step]) -> list[Step]:
    found: list[Step] = []
    for step in given_steps:
        if step.when == "false":
            continue
        found.append(step)
        if isinstance(step, DoStep | SagaStep):
            found.extend(_reached(step.steps))
        elif isinstance(step, SwitchStep):
            found.extend(_reached(step.cases[1].steps))
    return found


def test_the_input_of_these_runs_takes_the_default_branch() -> None:
    assert RUN.input == {"n": 1}
