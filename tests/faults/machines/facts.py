"""Facts ride along (JOURNAL §1): the courier's bookkeeping and the journal's SQL beside a plain list of what the workflow noted.

The machine plays Temporal: a workflow task may be lost before it completes, and is then done anew with other content; activities run
beside each other, any number of times, late, without telling; the workflow learns of an end or not. The model is a list.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activities.run_records import carrier_of
from domain.effects import Carrier, EffectClass, EffectKey, EffectState, Intent, IntentAnswer, Outcome, RetryClass
from domain.envelope import Envelope, Usage
from domain.errors import FactDiverged, FactGap, StaleEpoch
from domain.facts import Fact, must_flush
from domain.ledger import Kind
from domain.recorder import Recorder
from domain.runs import Projection
from domain.state import RunContext, State, Tick
from tests.contracts.journal_bench import AT, RUN
from tests.domain.programs import call, program
from tests.faults.machines.rig import Rig
from workflows.couriers import Courier
from workflows.messages import RunInput

PROGRAM = program(call("a"))
LEASE_MS = 1
FLIGHTS_MAX = 5
WHICH = st.integers(0, 99)
"""Chooses one of what is there."""


class Carriers(Courier):
    """The real courier, as far as it needs no workflow."""

    def carry(self, step: str) -> Envelope:
        """Return what an activity that starts now is given."""
        return self.envelope({}, step=step, call="0", deadline_s=5, project=[])


class OnceCarriers(Carriers):
    """The bug: a fact is taken for acknowledged when it is sent."""

    def carry(self, step: str) -> Envelope:
        """Send, and forget."""
        made = super().carry(step)
        self._state.unacked = []
        return made


@dataclass
class Flight:
    """One activity: its input stands in history, so every attempt has the same; `token` is that of the attempt that lives."""

    envelope: Envelope
    attempt: int = 1
    token: str = ""
    head: int = 0
    begun: list[str] = field(default_factory=list[str])

    def die(self) -> None:
        """The attempt ends with its worker; another one will follow."""
        self.attempt += 1
        self.token = ""


def facts_machine(rig: Rig) -> type[RuleBasedStateMachine]:
    """Return the machine on a rig."""

    class FactsMachine(FactsRules):
        pass

    FactsMachine.rig = rig
    return FactsMachine


class FactsRules(RuleBasedStateMachine):
    """See the module."""

    rig: Rig

    @initialize()
    def accept(self) -> None:
        """Start a run."""
        self.bench = self.rig.accept()
        self.state = State()
        self.noted: list[str] = []
        self.scheduled: list[Flight] = []
        self.flying: list[Flight] = []
        self.given_up: list[Flight] = []
        self.steps = 0
        self.tries = 0
        self.told = 0
        self.courier = self._courier()
        self.before = self._snapshot()

    def _courier(self) -> Carriers:
        given = RunInput(run=RUN, tenant=self.bench.tenant, principal="prn_a", correlation_id="corr", program=PROGRAM)
        return (OnceCarriers if self.rig.plant == "fact-once" else Carriers)(given, self.state)

    def _snapshot(self) -> tuple[dict[str, Any], int]:
        return self.state.model_dump(mode="json"), len(self.noted)

    def _restore(self, dumped: dict[str, Any]) -> None:
        self.state = State.model_validate(dumped)
        self.courier = self._courier()

    # The workflow's own turns.

    @rule(n=st.integers(1, 6), size=st.sampled_from([0, 0, 0, 4000]))
    def note(self, n: int, size: int) -> None:
        """The workflow notes facts; a workflow task that is done anew notes others."""
        for _ in range(n):
            context = RunContext(tenant=self.bench.tenant, run=RUN, principal="prn_a", input=None)
            recorder = Recorder(PROGRAM, context, self.state, Tick(now=AT, entropy=f"{self.tries:032x}"))
            recorder.fact(Kind.STEP_ENTERED, step="a", data={"try": self.tries, "text": "x" * size})
            self.noted.append(self.state.unacked[-1].digest())

    @precondition(lambda self: len(self.flying) + len(self.scheduled) < FLIGHTS_MAX)
    @rule()
    def schedule(self) -> None:
        """The workflow starts an activity beside those that run; a heavy suffix is flushed first."""
        if must_flush(self.state.unacked):
            self.flush(0)
        self.steps += 1
        self.scheduled.append(Flight(self.courier.carry(f"s{self.steps}")))

    @rule()
    def complete_task(self) -> None:
        """The workflow task completes: history has it, and the activities begin."""
        self.flying += self.scheduled
        self.scheduled = []
        self.before = self._snapshot()

    @rule()
    def lose_task(self) -> None:
        """The worker dies before the workflow task completes: what it noted and scheduled never was."""
        self.rig.fired["workflow task lost"] += 1
        dumped, noted = self.before
        self._restore(dumped)
        self.noted = self.noted[:noted]
        self.scheduled = []
        self.tries += 1

    # Activities: each attempt is a worker's, and Temporal tells the workflow of the end of one.

    @precondition(lambda self: self.flying)
    @rule(place=WHICH)
    def begin(self, place: int) -> None:
        """An attempt records its intent, with the facts that ride along."""
        flight = self.flying[place % len(self.flying)]
        flight.token = f"t{flight.attempt}"
        verdict = self.rig.wait(self.bench.journal.intent(self._intent(flight.envelope, flight.token, flight.attempt)))
        assert verdict.answer in (IntentAnswer.GO, IntentAnswer.LEASED, IntentAnswer.DONE, IntentAnswer.FAILED), verdict
        flight.head = verdict.fact_head
        if verdict.answer is IntentAnswer.GO:
            flight.begun.append(flight.token)
        elif verdict.answer is IntentAnswer.LEASED:
            flight.die()
        else:
            self._end(flight, verdict.fact_head)

    @precondition(lambda self: self.flying)
    @rule(place=WHICH)
    def crash(self, place: int) -> None:
        """The worker dies, before the intent or after it; the next attempt gets the same input."""
        self.rig.fired["attempt crashed"] += 1
        self.flying[place % len(self.flying)].die()

    @precondition(lambda self: any(flight.token in flight.begun for flight in self.flying))
    @rule(place=WHICH, told=st.booleans(), done=st.booleans())
    def finish(self, place: int, told: bool, done: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """The attempt records its outcome; the workflow learns of it, or the worker dies first."""
        begun = [flight for flight in self.flying if flight.token in flight.begun]
        flight = begun[place % len(begun)]
        verdict = self.rig.wait(self.bench.journal.outcome(self._outcome(flight.envelope, flight.token, done=done)))
        if told:
            self._end(flight, verdict.fact_head or flight.head)
        else:
            flight.die()

    @precondition(lambda self: self.flying)
    @rule(place=WHICH, cancelled=st.booleans())
    def give_up(self, place: int, cancelled: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Temporal gives the activity up or cancels it: the workflow learns nothing of its facts, and an attempt may still live."""
        flight = self.flying[place % len(self.flying)]
        if cancelled and flight.token in flight.begun:
            self.rig.wait(self.bench.journal.outcome(self._outcome(flight.envelope, flight.token, done=False)))
        self._end(flight, 0)
        self.given_up.append(flight)

    @precondition(lambda self: self.given_up)
    @rule(place=WHICH)
    def act_late(self, place: int) -> None:
        """An attempt that was given up writes after all: its facts are known or they are the next ones."""
        self.rig.fired["attempt wrote late"] += 1
        flight = self.given_up.pop(place % len(self.given_up))
        stale = flight.envelope.epoch < (self.rig.head(self.bench.tenant)["epoch"] or 0)
        verdict = self.rig.wait(self.bench.journal.intent(self._intent(flight.envelope, "late", flight.attempt + 1)))
        assert (verdict.answer is IntentAnswer.STALE_EPOCH) == stale, verdict
        assert verdict.answer not in (IntentAnswer.FACT_DIVERGED, IntentAnswer.FACT_GAP), verdict

    def _end(self, flight: Flight, head: int) -> None:
        """The workflow task in progress completes, then the workflow learns of the end: the facts up to `head` are acknowledged."""
        self.flying.remove(flight)
        self.complete_task()
        self.courier.acknowledge(head)
        self.before = self._snapshot()

    # Flushes.

    @rule(repeats=st.integers(0, 2))
    def flush(self, repeats: int) -> None:
        """The workflow flushes before a wait; the activity may be done again after a crash."""
        speculative = self.rig.plant == "speculative-flush"
        envelope = self.courier.carry("")
        if not speculative:
            self.complete_task()
        head = 0
        for _ in range(repeats + 1):
            head = self.rig.wait(self.bench.journal.flush(carrier_of(envelope), Projection(), fact_seq=self.state.fact_seq))
        self.courier.acknowledge(head)
        if not speculative:
            self.before = self._snapshot()

    @precondition(lambda self: not self.flying and not self.scheduled and self.state.fact_seq > 4 * self.state.epoch)
    @rule(flushed=st.booleans())
    def continue_as_new(self, flushed: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """The run goes on in a new epoch; facts that are not acknowledged go along (a redrive carries them)."""
        if flushed:
            self.flush(0)
        self.rig.fired["continued as new"] += 1
        carried = self.state.model_dump(mode="json")
        self._restore({**carried, "epoch": self.state.epoch + 1})
        self.before = self._snapshot()

    # What must be refused.

    @rule(place=st.integers(0, 1000))
    def forge(self, place: int) -> None:
        """A fact that the ledger has comes again with other content: refused and told."""
        head = self.rig.head(self.bench.tenant)
        facts = [row for row in self.rig.rows(self.bench.tenant) if row["fact_seq"] is not None]
        if not facts:
            return
        known = facts[place % len(facts)]
        forged = Fact(seq=known["fact_seq"], kind=Kind.STEP_ENTERED, at=AT, epoch=known["epoch"], data={"forged": True})
        assert self._refused([forged], head["epoch"]) is FactDiverged, "a forged fact was taken"
        self.rig.fired["fact forged"] += 1
        self.told += 1

    @rule(ahead=st.integers(2, 4))
    def skip(self, ahead: int) -> None:
        """A fact comes before the one before it: refused."""
        head = self.rig.head(self.bench.tenant)
        epoch = head["epoch"] or 1
        gap = Fact(seq=head["fact_head"] + ahead, kind=Kind.STEP_ENTERED, at=AT, epoch=epoch)
        assert self._refused([gap], epoch) is FactGap, "a fact was taken before the one before it"

    @precondition(lambda self: (self.rig.head(self.bench.tenant)["epoch"] or 1) > 1)
    @rule()
    def come_from_the_past(self) -> None:
        """A carrier of an earlier epoch brings the next fact: refused."""
        head = self.rig.head(self.bench.tenant)
        fact = Fact(seq=head["fact_head"] + 1, kind=Kind.STEP_ENTERED, at=AT, epoch=head["epoch"] - 1)
        assert self._refused([fact], head["epoch"] - 1) is StaleEpoch, "an earlier epoch's fact was taken"

    def _refused(self, facts: list[Fact], epoch: int) -> type[Exception] | None:
        carrier = Carrier(tenant=self.bench.tenant, run=RUN, epoch=epoch, principal="prn_a", correlation_id="corr", facts=tuple(facts))
        try:
            self.rig.wait(self.bench.journal.flush(carrier, Projection(), fact_seq=0))
        except (FactDiverged, FactGap, StaleEpoch) as error:
            return type(error)
        return None

    # What must hold.

    @invariant()
    def the_ledger_has_a_prefix(self) -> None:
        """The ledger has the first facts the workflow noted, in its order, each once; what it lacks still rides."""
        stored = [row["fact_digest"] for row in self.rig.rows(self.bench.tenant) if row["fact_seq"] is not None]
        assert stored == self.noted[: len(stored)], "the ledger tells what the workflow did not note"
        acknowledged = self.state.fact_seq - len(self.state.unacked)
        assert acknowledged <= len(stored), f"{acknowledged} facts are acknowledged, and the ledger has {len(stored)}"
        assert [fact.digest() for fact in self.state.unacked] == self.noted[acknowledged:]

    def teardown(self) -> None:
        """The run ends: everything that is noted is in the ledger, and the chain holds."""
        if not hasattr(self, "bench"):
            return
        self.flush(0)
        rows = self.rig.rows(self.bench.tenant)
        stored = [row["fact_digest"] for row in rows if row["fact_seq"] is not None]
        assert stored == self.noted, f"{len(self.noted)} facts were noted, and the ledger has {len(stored)}, or others"
        told = [row["kind"] for row in rows].count(Kind.FACT_DIVERGED)
        assert told == self.told, f"{self.told} forged facts came, and {told} are told"
        self.rig.check_chain(self.bench.tenant)

    def _intent(self, envelope: Envelope, token: str, attempt: int) -> Intent:
        return Intent(
            carrier=carrier_of(envelope),
            key=_key(envelope),
            digest="a" * 64,
            effect_class=EffectClass.READ,
            retry_class=RetryClass.IDEMPOTENT,
            subject="x.read",
            kind=Kind.TOOL_REQUESTED,
            at=AT,
            attempt=attempt,
            lease_token=f"{envelope.step}-{token}",
            lease_ms=LEASE_MS,
            temporal_run_id=f"temporal-{envelope.epoch}",
        )

    def _outcome(self, envelope: Envelope, token: str, *, done: bool) -> Outcome:
        return Outcome(
            carrier=carrier_of(envelope.without_facts()),
            key=_key(envelope),
            lease_token=f"{envelope.step}-{token}",
            state=EffectState.DONE if done else EffectState.FAILED,
            kind=Kind.TOOL_CALLED if done else Kind.TOOL_FAILED,
            at=AT,
            attempt=1,
            output=1 if done else None,
            error=None if done else {"code": "tool-failed", "detail": "no", "retryable": "false"},
            usage=Usage(),
        )


def _key(envelope: Envelope) -> EffectKey:
    return EffectKey(tenant=envelope.tenant, run=envelope.run, step=envelope.step, visit=envelope.visit, call=envelope.call)
