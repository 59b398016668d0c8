"""A journal in memory that passes the same suite as PostgreSQL's (tests/contracts/test_journal.py); for unit tests."""

import hashlib
import secrets
import time
from typing import NamedTuple, Self

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.effects import (
    Carrier,
    EffectKey,
    EffectState,
    Intent,
    IntentAnswer,
    IntentVerdict,
    Outcome,
    OutcomeAnswer,
    OutcomeVerdict,
    RecordedOutcome,
    RetryClass,
)
from domain.envelope import Usage
from domain.errors import FactDiverged, FactGap, JournalError, NotFound, ReferenceMissing, RunUnlinked, StaleEpoch
from domain.ledger import EntryBody, Kind, StoredEntry, Verification, verify_entries
from domain.people_stores import TaskRow
from domain.runs import Projection
from domain.stores import RunRow
from tests.fake_run import AT, FakeRun

_REFUSALS = {
    IntentAnswer.STALE_EPOCH: StaleEpoch,
    IntentAnswer.UNLINKED: RunUnlinked,
    IntentAnswer.FACT_DIVERGED: FactDiverged,
    IntentAnswer.FACT_GAP: FactGap,
}


class FakeEffect:
    """An effect's row."""

    def __init__(self, intent: Intent) -> None:
        self.usage = Usage()
        self.other_digest: str | None = None
        self.begin(intent)

    def begin(self, intent: Intent) -> None:
        """Take a new attempt."""
        self.intent = intent
        self.digest = intent.digest
        self.token = intent.lease_token
        self.lease_until = time.monotonic() + intent.lease_ms / 1000
        self.end(EffectState.INTENT)

    def end(self, state: EffectState, *, ref: str | None = None, output: JsonValue = None, error: dict[str, str] | None = None) -> None:
        """Take a state and what comes with it."""
        self.state, self.ref, self.output, self.error = state, ref, output, error

    def recorded(self) -> RecordedOutcome:
        """Return it as the journal tells it."""
        digest = None if self.ref is None else hashlib.sha256(canonical_bytes(self.output)).hexdigest()
        return RecordedOutcome(
            state=self.state, output_ref=self.ref, output_digest=digest, output=self.output, error=self.error, usage=self.usage
        )


class Opening(NamedTuple):
    """What the facts of a carrier led to."""

    refusal: IntentAnswer | None
    detail: str


class FakeJournal:
    """Implements `EffectJournal` and `RunLedger`, and the bench of their suite. Runs are made by `add_run`."""

    def __init__(self) -> None:
        self.tenant = ""
        self.runs: dict[str, FakeRun] = {}
        self.effects: dict[EffectKey, FakeEffect] = {}
        self.payloads: dict[tuple[str, str], JsonValue] = {}

    @classmethod
    def with_run(cls, tenant: str, run: str = "run_00000000000000000000000001") -> Self:
        """Return a journal with one accepted run."""
        fake = cls()
        fake.add_run(tenant, run)
        return fake

    @property
    def journal(self) -> "FakeJournal":
        """Itself: the suite's bench and its journal are one."""
        return self

    def add_run(self, tenant: str, run: str) -> FakeRun:
        """Accept a run."""
        self.tenant = tenant
        self.runs[run] = FakeRun(tenant, run)
        return self.runs[run]

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Record that an attempt begins, or say what is known."""
        run = self._run(intent.carrier)
        opening = self._open(run, intent.carrier)
        if opening.refusal is not None:
            return IntentVerdict(answer=opening.refusal, fact_head=run.fact_head, detail=opening.detail)
        effect = self.effects.get(intent.key)
        answer = IntentAnswer.GO if effect is None else self._known(run, effect, intent)
        if answer is IntentAnswer.GO and (effect is None or effect.token != intent.lease_token):
            self._begin(run, effect, intent)
        return self._verdict(run, answer, self.effects[intent.key])

    def _known(self, run: FakeRun, effect: FakeEffect, intent: Intent) -> IntentAnswer:
        if effect.state is EffectState.DIVERGENT:
            return IntentAnswer.DIVERGENT
        if effect.digest != intent.digest:
            if not (intent.effect_class.changes_world or effect.intent.effect_class.changes_world):
                return IntentAnswer.NEW_VISIT if effect.state is EffectState.DONE else IntentAnswer.GO
            effect.state, effect.other_digest = EffectState.DIVERGENT, intent.digest
            run.append(self._body(intent.carrier, intent.key, Kind.EFFECT_DIVERGED, attempt=intent.attempt))
            return IntentAnswer.DIVERGENT
        if effect.state is EffectState.FAILED:
            final = (effect.error or {}).get("retryable") == "false"
            return IntentAnswer.FAILED if final else IntentAnswer.GO
        if effect.state is not EffectState.INTENT:
            return IntentAnswer(effect.state.value)
        return self._held(run, effect, intent)

    def _held(self, run: FakeRun, effect: FakeEffect, intent: Intent) -> IntentAnswer:
        if effect.token == intent.lease_token:
            return IntentAnswer.GO
        if effect.lease_until > time.monotonic():
            return IntentAnswer.LEASED
        if RetryClass.AT_MOST_ONCE not in (effect.intent.retry_class, intent.retry_class):
            return IntentAnswer.GO
        effect.state = EffectState.IN_DOUBT
        run.append(self._body(intent.carrier, intent.key, Kind.EFFECT_IN_DOUBT, attempt=intent.attempt))
        return IntentAnswer.IN_DOUBT

    def _begin(self, run: FakeRun, effect: FakeEffect | None, intent: Intent) -> None:
        if effect is None:
            self.effects[intent.key] = FakeEffect(intent)
        else:
            effect.begin(intent)
        run.append(self._body(intent.carrier, intent.key, intent.kind, attempt=intent.attempt, data={"subject": intent.subject}))

    async def outcome(self, outcome: Outcome) -> OutcomeVerdict:
        """Record how an attempt ended."""
        run = self._run(outcome.carrier)
        effect = self.effects.get(outcome.key)
        if effect is None:
            raise JournalError(f"no intent was recorded for {outcome.key.step}")
        opening = self._open(run, outcome.carrier)
        answer = self._settle(run, effect, outcome)
        if opening.refusal not in (None, IntentAnswer.STALE_EPOCH, IntentAnswer.UNLINKED):
            raise _REFUSALS[opening.refusal](opening.detail)
        recorded = effect.recorded()
        return OutcomeVerdict(answer=answer, fact_head=run.fact_head, output_ref=recorded.output_ref, output_digest=recorded.output_digest)

    def _settle(self, run: FakeRun, effect: FakeEffect, outcome: Outcome) -> OutcomeAnswer:
        own = effect.token == outcome.lease_token
        if own and effect.state in (EffectState.DONE, EffectState.FAILED):
            return OutcomeAnswer.RECORDED
        late_truth = effect.state is EffectState.IN_DOUBT or (effect.state is EffectState.INTENT and outcome.state is EffectState.DONE)
        effect.usage = effect.usage + outcome.usage
        run.usage = run.usage + outcome.usage
        if not (late_truth or (own and effect.state is EffectState.INTENT)):
            run.append(self._body(outcome.carrier, outcome.key, Kind.EFFECT_SETTLED_LATE, attempt=outcome.attempt))
            return OutcomeAnswer.SETTLED_LATE
        late = effect.state is EffectState.IN_DOUBT or not own
        effect.token = outcome.lease_token
        self._end(effect, outcome.state, outcome.output, outcome.error, named=outcome.output_ref)
        run.append(self._body(outcome.carrier, outcome.key, outcome.kind, attempt=outcome.attempt, data=outcome.data))
        if late:
            run.close_late(outcome.key, effect.state)
        return OutcomeAnswer.ACCEPTED_LATE if late else OutcomeAnswer.RECORDED

    async def advance(self, outcome: Outcome, intent: Intent) -> tuple[OutcomeVerdict, IntentVerdict | None]:
        """Record an outcome and, if it stands, begin the next attempt."""
        ended = await self.outcome(outcome)
        return ended, await self.intent(intent) if ended.answer is OutcomeAnswer.RECORDED else None

    def _end(
        self, effect: FakeEffect, state: EffectState, output: JsonValue, error: dict[str, str] | None, *, named: str | None = None
    ) -> None:
        ref = (named or secrets.token_hex(16)) if state is EffectState.DONE else None
        if ref is not None:
            self.payloads[effect.intent.carrier.tenant, ref] = output
        effect.end(state, ref=ref, output=output, error=error)

    async def renew(self, key: EffectKey, *, lease_token: str, lease_ms: int) -> bool:
        """Extend a living attempt's lease; False when the effect is not this attempt's any more."""
        effect = self.effects.get(key)
        if effect is None or effect.token != lease_token or effect.state is not EffectState.INTENT:
            return False
        effect.lease_until = time.monotonic() + lease_ms / 1000
        return True

    async def resolve(
        self, carrier: Carrier, key: EffectKey, *, happened: bool, output: JsonValue, principal: str, at: str
    ) -> IntentVerdict:
        """Apply a person's answer to an effect in doubt or divergent."""
        run = self._run(carrier)
        opening = self._open(run, carrier)
        if opening.refusal is IntentAnswer.UNLINKED:
            raise RunUnlinked(opening.detail)
        if opening.refusal is not None:
            return IntentVerdict(answer=opening.refusal, fact_head=run.fact_head, detail=opening.detail)
        effect = self.effects[key]
        if effect.state in (EffectState.IN_DOUBT, EffectState.DIVERGENT):
            effect.token = ""
            effect.digest, effect.other_digest = effect.other_digest or effect.digest, None
            denied = {"code": "effect-in-doubt", "detail": "a person said that it did not happen", "retryable": "true"}
            self._end(
                effect, EffectState.DONE if happened else EffectState.FAILED, output if happened else None, None if happened else denied
            )
            run.append(self._body(carrier, key, Kind.TASK_COMPLETED, principal=principal, at=at, data={"happened": happened}))
        answers = {EffectState.INTENT: IntentAnswer.LEASED, EffectState.DONE: IntentAnswer.DONE}
        final = (effect.error or {}).get("retryable") == "false"
        return self._verdict(run, answers.get(effect.state, IntentAnswer.FAILED if final else IntentAnswer.GO), effect)

    async def flush(self, carrier: Carrier, projection: Projection, *, fact_seq: int) -> int:
        """Write facts, then the projection; return the fact head."""
        run = self._run(carrier)
        opening = self._open(run, carrier)
        if opening.refusal is not None:
            raise _REFUSALS[opening.refusal](opening.detail)
        settled = {key: effect.state for key, effect in self.effects.items() if effect.state in (EffectState.DONE, EffectState.FAILED)}
        run.project(carrier.epoch, fact_seq, projection, settled)
        return run.fact_head

    def _run(self, carrier: Carrier) -> FakeRun:
        run = self.runs.get(carrier.run)
        if run is None or run.tenant != carrier.tenant:
            raise NotFound(f"there is no run {carrier.run}")
        return run

    def _open(self, run: FakeRun, carrier: Carrier) -> Opening:
        refusal, detail = run.check(carrier)
        if refusal is IntentAnswer.FACT_DIVERGED:
            run.append(self._body(carrier, None, Kind.FACT_DIVERGED, data={"detail": detail}))
        if refusal is None:
            run.take(carrier)
        return Opening(refusal, detail)

    def _verdict(self, run: FakeRun, answer: IntentAnswer, effect: FakeEffect) -> IntentVerdict:
        known = effect.recorded() if answer in (IntentAnswer.DONE, IntentAnswer.FAILED) else None
        wait_ms = max(1, int((effect.lease_until - time.monotonic()) * 1000)) if answer is IntentAnswer.LEASED else 0
        return IntentVerdict(answer=answer, fact_head=run.fact_head, wait_ms=wait_ms, recorded=known)

    def _body(
        self,
        carrier: Carrier,
        key: EffectKey | None,
        kind: str,
        *,
        attempt: int | None = None,
        principal: str | None = None,
        at: str = AT,
        data: dict[str, JsonValue] | None = None,
    ) -> EntryBody:
        place = {} if key is None else {"step": key.step, "visit": key.visit, "call": key.call}
        return EntryBody.model_validate(
            {
                "kind": kind,
                "at": at,
                "principal": principal or carrier.principal,
                "correlation_id": carrier.correlation_id,
                "epoch": carrier.epoch,
                "attempt": attempt,
                "data": data or {},
                **place,
            }
        )

    async def entries(self) -> list[StoredEntry]:
        """Return the entries of the last added run."""
        return self._last().entries

    async def verification(self) -> Verification:
        """Verify the chain of the last added run."""
        run = self._last()
        return verify_entries(run.entries, head=run.head)

    async def row(self) -> RunRow:
        """Return the last added run."""
        return self._last().row()

    async def task(self, task: str) -> TaskRow:
        """Return a task of the last added run."""
        return self._last().tasks[task]

    async def approval_state(self, approval: str) -> str:
        """Return an approval's state."""
        return self._last().approvals[approval]

    async def result(self) -> JsonValue:
        """Return the result of the last added run."""
        return self._last().result

    async def get(self, tenant: str, ref: str) -> JsonValue:
        """Return an output by reference, as `PayloadStore` does."""
        if (tenant, ref) not in self.payloads:
            raise ReferenceMissing(f"the payload {ref} is missing or erased")
        return self.payloads[tenant, ref]

    async def put(self, tenant: str, run: str, value: JsonValue) -> str:
        """Store a value, as `PayloadStore` does."""
        ref = f"{run}-{secrets.token_hex(16)}"
        self.payloads[tenant, ref] = value
        return ref

    def _last(self) -> FakeRun:
        return next(reversed(self.runs.values()))
