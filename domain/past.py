"""What the journal, the inbox and the ledger know of a run, as far as its state can be rebuilt from them. Pure.

It is read from PostgreSQL alone: a run may be redriven or forked long after Temporal has forgotten its history.
"""

from pydantic import JsonValue

from domain.approval import OpenApproval
from domain.effects import EffectClass, EffectState
from domain.envelope import Usage
from domain.facts import Fact
from domain.ledger import Kind
from domain.model import Value
from domain.signals import Signal
from domain.state import State

CALL = "call"
"""The call of a `call:` step's one effect."""

COMPENSATE = "compensate"
"""The call of an effect that undoes its step; later tries are `compensate.2` and so on."""

Place = tuple[str, int]
"""A step and its visit."""


def call_command(step: str, visit: int) -> str:
    """Return the id of the command that makes a `call:` step's call."""
    return f"{step}#{visit}/{CALL}"


def is_undo(call: str) -> bool:
    """Whether a call is a compensation's."""
    return call.partition(".")[0] == COMPENSATE


class KnownEffect(Value):
    """An effect's row with its stored output; `request` is filled for compensations only. `ended_at` is RFC 3339 UTC."""

    step: str
    visit: int
    call: str
    subject: str
    digest: str
    effect_class: EffectClass
    state: EffectState
    started_at: str
    ended_at: str | None = None
    output_ref: str | None = None
    output_digest: str | None = None
    output: JsonValue = None
    request: JsonValue = None
    error: dict[str, str] | None = None
    usage: Usage = Usage()

    @property
    def place(self) -> Place:
        """The step and visit it belongs to."""
        return self.step, self.visit

    @property
    def undoes(self) -> bool:
        """Whether it is a compensation."""
        return is_undo(self.call)

    @property
    def undo_tried(self) -> int:
        """Which try of its step's compensation it is, from 1."""
        return int(self.call.partition(".")[2] or 1)

    @property
    def done(self) -> bool:
        """Whether it happened."""
        return self.state is EffectState.DONE


class KnownApproval(Value):
    """An approval that was opened; `state` is the inbox's: open, approved, rejected, timed_out, withdrawn."""

    opened: OpenApproval
    state: str
    decided_by: str | None = None
    decision_id: str | None = None
    comment: str = ""

    @property
    def place(self) -> Place:
        """The step and visit that asked."""
        return self.opened.step, self.opened.visit


class KnownAnswer(Value):
    """A person's answer to a task about an undo that failed for good."""

    step: str
    visit: int
    resolution: str


class KnownTask(Value):
    """A task that a step put before people; what they filled in is `output`, stored under `ref`. `completed` if they did."""

    step: str
    visit: int
    call: str = "task"
    completed: bool
    at: str = ""
    output: JsonValue = None
    ref: str | None = None
    by: str = ""


class KnownSignal(Value):
    """A signal that a run was given; `step` and `visit` are the step's that took it, None while it is kept."""

    signal: Signal
    at: str
    step: str | None = None
    visit: int | None = None


class Past(Value):
    """One run as PostgreSQL knows it.

    `facts` are the ledger's facts as (kind, step, visit), `call_facts` those about one call, with its name, `surely_not` the failed steps
    whose effect surely did not happen; `fact_head` and `fact_digest` are of the last fact. `base` is the state that a fork began with.
    """

    run: str
    epoch: int
    fact_head: int
    fact_digest: str = ""
    effects: tuple[KnownEffect, ...] = ()
    approvals: tuple[KnownApproval, ...] = ()
    answers: tuple[KnownAnswer, ...] = ()
    signals: tuple[KnownSignal, ...] = ()
    tasks: tuple[KnownTask, ...] = ()
    facts: frozenset[tuple[str, str | None, int | None]] = frozenset()
    call_facts: frozenset[tuple[str, str | None, int | None, str]] = frozenset()
    surely_not: frozenset[Place] = frozenset()
    base: State | None = None

    def kept_signals(self) -> list[Signal]:
        """Return the signals that no step has taken yet, oldest first."""
        taken = {known.signal.id for known in self.signals if known.step is not None}
        return [known.signal for known in self.signals if known.step is None and known.signal.id not in taken]

    def may_have_happened(self) -> set[Place]:
        """Return the calls without an outcome to keep of which nobody knows that they did not happen."""
        calls = {effect.place for effect in self.effects if effect.call == CALL and not effect.done}
        return calls - self.surely_not

    def tells(self, fact: Fact) -> bool:
        """Whether the ledger has a fact; of one about a call, for that very call."""
        if fact.call is None:
            return (fact.kind, fact.step, fact.visit) in self.facts
        return (fact.kind, fact.step, fact.visit, fact.call) in self.call_facts

    def failed(self) -> set[Place]:
        """Return the steps that the ledger says failed."""
        return {(step, visit) for kind, step, visit in self.facts if kind == Kind.STEP_FAILED and step is not None and visit is not None}

    def undone(self) -> set[Place]:
        """Return the steps whose effect was undone, by a compensation or by hand."""
        by_call = {effect.place for effect in self.effects if effect.undoes and effect.done}
        return by_call | {(answer.step, answer.visit) for answer in self.answers if answer.resolution == "happened"}

    def half_undone(self) -> list[KnownEffect]:
        """Return the last try of every compensation that began and of which nobody knows the end, latest first."""
        undone = self.undone()
        given_up = {(answer.step, answer.visit) for answer in self.answers if answer.resolution == "give_up"}
        tries = {effect.place: effect for effect in sorted(self.effects, key=_began) if effect.undoes and effect.place not in undone}
        left = [each for each in tries.values() if each.state is EffectState.INTENT or each.place not in given_up]
        return sorted(left, key=_began, reverse=True)


def _began(effect: KnownEffect) -> str:
    return effect.started_at
