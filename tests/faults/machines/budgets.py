"""Budgets (JOURNAL §3): reserve, settle, refuse, give back, crash and limits that change, beside sums over a plain list of what is held.

The model knows nothing of chunks, grants or leases: a call may go exactly when what was spent and what is held leave room for it in every
budget around it. Escrow that refuses although there is room, or grants although there is none, differs from it.
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.budget import Cap
from domain.effects import EffectState, IntentAnswer
from domain.runs import RunStatus
from tests.contracts.money_bench import MoneyBench
from tests.faults.machines.rig import Rig

RUNS = {f"run_{number:026d}": ("delay-claim" if number < 2 else "another") for number in range(4)}
CAPPED = "run_00000000000000000000000000"
"""The run whose definition bounds it, and its step `box`."""
CAPS = (Cap(usd_micros=60), Cap(step="box", usd_micros=25))
AMOUNT = st.integers(1, 40)
LIMIT = st.none() | st.integers(0, 200)
WHICH = st.integers(0, 99)
_OF_RUNS = (
    b"SELECT run, spent + settled AS spent, reserved FROM allowances WHERE tenant_id = %(tenant)s AND step = '' AND unit = 'usd_micros'"
)


@dataclass
class Held:
    """One attempt that has begun and not ended."""

    run: str
    step: str
    amount: int
    token: str


@dataclass
class Model:
    """What was spent, what is held, and the limits."""

    spent: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    held: dict[tuple[str, str], Held] = field(default_factory=dict[tuple[str, str], Held])
    tenant: int | None = None
    definitions: dict[str, int | None] = field(default_factory=dict[str, int | None])
    run: int = 60

    def used(self, runs: list[str], *, below: str = "") -> int:
        """Return what was spent and is held by these runs, by their steps below a path."""
        places = [(key, amount) for key, amount in self.spent.items()] + [(key, one.amount) for key, one in self.held.items()]
        return sum(amount for (run, step), amount in places if run in runs and step.startswith(below))

    def fits(self, run: str, step: str, amount: int) -> bool:
        """Whether there is room in every budget around a step."""
        definition = RUNS[run]
        limits = [(self.tenant, self.used(list(RUNS)))]
        limits.append((self.definitions.get(definition), self.used([one for one, its in RUNS.items() if its == definition])))
        if run == CAPPED:
            limits.append((self.run, self.used([run])))
            if step.startswith("box."):
                limits.append((CAPS[1].usd_micros, self.used([run], below="box.")))
        return all(limit is None or used + amount <= limit for limit, used in limits)


class BudgetsMachine(RuleBasedStateMachine):
    """One tenant with four runs of two definitions, on a self.rig."""

    rig: Rig

    @initialize()
    def begin_anew(self) -> None:
        """Accept the runs."""
        self.money = MoneyBench(self.rig.db, f"b-{self.rig.mark}-{next(self.rig.tenants)}")
        for run, definition in RUNS.items():
            self.rig.wait(self.money.accept(run, definition=definition))
        self.model = Model()
        self.steps = 0
        self.flushes = 0

    @rule(which=WHICH, amount=AMOUNT, boxed=st.booleans())
    def ask(self, which: int, amount: int, boxed: bool) -> None:  # noqa: FBT001 - hypothesis names arguments
        """Begin a new attempt, or hear that it does not fit."""
        run = list(RUNS)[which % len(RUNS)]
        self.steps += 1
        self._ask(run, f"box.s{self.steps}" if boxed else f"s{self.steps}", amount)

    @precondition(lambda self: self.model.held)
    @rule(which=WHICH, amount=AMOUNT)
    def lose_and_ask_again(self, which: int, amount: int) -> None:
        """An attempt dies, and its successor takes its place: what the dead one held is free first."""
        lost = self._one(which)
        del self.model.held[lost.run, lost.step]
        self.rig.fired["attempts lost"] += 1
        self._ask(lost.run, lost.step, amount)

    def _ask(self, run: str, step: str, amount: int) -> None:
        caps = CAPS[: 2 if step.startswith("box.") else 1] if run == CAPPED else ()
        verdict = self.rig.wait(self.money.begin(step, amount, run=run, caps=caps, lease_ms=0))
        expected = self.model.fits(run, step, amount)
        assert (verdict.answer is IntentAnswer.GO) == expected, (verdict, run, step, amount, self.model)
        if expected:
            self.model.held[run, step] = Held(run, step, amount, self.money.tokens[run, step])

    @precondition(lambda self: self.model.held)
    @rule(which=WHICH, part=st.integers(0, 100), over=st.booleans())
    def settle(self, which: int, part: int, over: bool) -> None:  # noqa: FBT001 - hypothesis names arguments
        """An attempt ends and has cost a part of its worst case, or, where a declared cost was wrong, more."""
        ended = self._one(which)
        cost = ended.amount * part // 100 + (3 if over else 0)
        self.rig.wait(self.money.end(ended.step, cost, run=ended.run, token=ended.token))
        del self.model.held[ended.run, ended.step]
        self.model.spent[ended.run, ended.step] = self.model.spent.get((ended.run, ended.step), 0) + cost

    @precondition(lambda self: self.model.held)
    @rule(which=WHICH)
    def fail(self, which: int) -> None:
        """An attempt fails and has cost nothing."""
        ended = self._one(which)
        self.rig.wait(self.money.end(ended.step, run=ended.run, token=ended.token, state=EffectState.FAILED))
        del self.model.held[ended.run, ended.step]

    @rule()
    def sweep(self) -> None:
        """Everybody who holds something is dead: it comes back."""
        self.rig.wait(self.money.budgets.bring_back(self.money.tenant, idle_ms=0))
        self.rig.fired["reservations swept"] += len(self.model.held)
        self.model.held.clear()

    @rule(which=WHICH)
    def wait(self, which: int) -> None:
        """A run waits and goes on."""
        run = list(RUNS)[which % len(RUNS)]
        for status in (RunStatus.WAITING, RunStatus.RUNNING):
            self.flushes += 1
            self.rig.wait(self.money.flush(status, run=run, fact_seq=self.flushes))

    @rule(which=WHICH, limit=LIMIT)
    def limit(self, which: int, limit: int | None) -> None:
        """A person sets a limit."""
        if which % 4 == 0:
            self.model.tenant = limit
            self.rig.wait(self.money.limit("tenant", "", limit))
        elif which % 4 == 1 and limit is not None:
            self.model.run = limit
            self.rig.wait(self.money.limit("run", CAPPED, limit))
        else:
            name = ("delay-claim", "another")[which % 2]
            self.model.definitions[name] = limit
            self.rig.wait(self.money.limit("definition", name, limit))

    @invariant()
    def sums_hold(self) -> None:
        """Every sum of the tables holds, and the runs' own figures are the model's."""
        self.rig.wait(self.money.check())
        told = {row["run"]: (row["spent"], row["reserved"]) for row in self.rig.wait(self.money.rows(_OF_RUNS))}
        for run in RUNS:
            spent = sum(amount for (one, _), amount in self.model.spent.items() if one == run)
            held = sum(one.amount for one in self.model.held.values() if one.run == run)
            assert told.get(run, (0, 0)) == (spent, held), (run, told, spent, held)

    def _one(self, which: int) -> Held:
        return list(self.model.held.values())[which % len(self.model.held)]


def budgets_machine(rig: Rig) -> type[RuleBasedStateMachine]:
    """Return the machine over a rig."""
    return type("Budgets", (BudgetsMachine,), {"rig": rig})
