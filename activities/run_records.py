"""Activities that write what the run knows: facts with projections, checked decisions, answers about effects in doubt."""

from temporalio import activity

from activities.decision_checks import DecisionChecks, Representatives
from activities.requests import (
    CHECK_COMPLETION,
    CHECK_DECISION,
    FLUSH_FACTS,
    RESOLVE_EFFECT,
    CompletionRequest,
    DecisionRequest,
    FlushRequest,
    ResolveRequest,
)
from activities.tool_calls import effect_key
from domain.completion import completion_attested
from domain.effects import Carrier, EffectJournal, IntentAnswer
from domain.envelope import Envelope, Receipt
from domain.errors import Forbidden, JournalError, StandfastError
from domain.projection import project
from domain.runs import RunLedger
from domain.stores import KeyStore


def carrier_of(envelope: Envelope) -> Carrier:
    """Return what every journal transaction brings along."""
    return Carrier(
        tenant=envelope.tenant,
        run=envelope.run,
        epoch=envelope.epoch,
        principal=envelope.principal,
        correlation_id=envelope.correlation_id,
        facts=tuple(envelope.facts),
        temporal_run_id=activity.info().workflow_run_id or "" if activity.in_activity() else "",
    )


class RunRecordActivities:
    """Writes facts, projections and resolutions; checks decisions."""

    def __init__(
        self,
        *,
        run_ledger: RunLedger,
        journal: EffectJournal,
        keys: KeyStore,
        attestation_key: bytes,
        substitutes: Representatives | None = None,
    ) -> None:
        self._ledger = run_ledger
        self._journal = journal
        self._attestation_key = attestation_key
        self._checks = DecisionChecks(keys=keys, attestation_key=attestation_key, substitutes=substitutes)

    @activity.defn(name=FLUSH_FACTS)
    async def flush_facts(self, envelope: Envelope) -> Receipt:
        """Write the facts and the projection in one transaction. Raises: FactDiverged, FactGap, StaleEpoch, Unavailable."""
        return Receipt(fact_head=await self.write(envelope, FlushRequest.model_validate(envelope.request)))

    async def write(self, envelope: Envelope, request: FlushRequest) -> int:
        """Write an envelope's facts with a projection. Raises: as `flush_facts`."""
        return await self._ledger.flush(carrier_of(envelope), request.projection, fact_seq=request.fact_seq)

    @activity.defn(name=CHECK_DECISION)
    async def check_decision(self, envelope: Envelope) -> Receipt:
        """Check attestation and live roles; a refusal is an answer (`ok` false with code and detail), no failure."""
        request = DecisionRequest.model_validate(envelope.request)
        known = await self._checks.check(envelope.tenant, envelope.run, request)
        return _answer(known) if isinstance(known, StandfastError) else Receipt(fields={"ok": True, **known})

    @activity.defn(name=CHECK_COMPLETION)
    async def check_completion(self, envelope: Envelope) -> Receipt:
        """Check the attestation of an answer to a human task; a refusal is an answer, as in `check_decision`."""
        completion = CompletionRequest.model_validate(envelope.request).completion
        if completion_attested(self._attestation_key, tenant=envelope.tenant, run=envelope.run, completion=completion):
            return _answer(None)
        return _answer(Forbidden("the answer carries no attestation of the gateway"))

    @activity.defn(name=RESOLVE_EFFECT)
    async def resolve_effect(self, envelope: Envelope) -> Receipt:
        """Apply a person's answer; the receipt has a reference when the effect now has an outcome.

        Raises:
            JournalError: the effect is not in doubt any more.
        """
        request = ResolveRequest.model_validate(envelope.request)
        verdict = await self._journal.resolve(
            carrier_of(envelope),
            effect_key(envelope),
            happened=request.happened,
            output=request.output,
            principal=request.completed_by,
            at=activity.info().started_time.isoformat(timespec="microseconds"),
        )
        if verdict.answer not in (IntentAnswer.DONE, IntentAnswer.GO):
            raise JournalError(f"the journal did not take the answer: {verdict.answer} {verdict.detail}")
        recorded = verdict.recorded
        if verdict.answer is IntentAnswer.GO or recorded is None:
            return Receipt(fact_head=verdict.fact_head, fields={})
        fields = project(recorded.output, envelope.project)
        return Receipt(fact_head=verdict.fact_head, ref=recorded.output_ref, digest=recorded.output_digest, fields=fields, replayed=True)


def _answer(refused: StandfastError | None) -> Receipt:
    if refused is None:
        return Receipt(fields={"ok": True})
    return Receipt(fields={"ok": False, "code": refused.code, "detail": refused.detail})
