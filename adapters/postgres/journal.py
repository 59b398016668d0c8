"""The effect journal and the run ledger on PostgreSQL: each method is one SQL function, one round trip (JOURNAL §1, §2).

SQL decides under the run's row lock; this module makes bodies and payloads beforehand and turns answers into verdicts.
"""

from psycopg.types.numeric import Int4
from pydantic import JsonValue

from adapters.postgres.advance import PLAIN_QUERY, advance_query, ended_row, may_be_plain, plain_params
from adapters.postgres.entries import FACT_TYPES, effect_body
from adapters.postgres.journal_params import Output, intent_params, opening, outcome_params, place_of, stored
from adapters.postgres.pool import Database, Row
from adapters.postgres.projections import projection_params
from adapters.postgres.sealed_errors import effect_error_place, open_error, seal_error
from adapters.postgres.sealing import SealedPayload
from adapters.postgres.sharing import FLUSHES, INTENTS, OUTCOMES, flush_may_share, intent_may_share, outcome_may_share
from adapters.postgres.together import Together
from adapters.postgres.vault import Vault
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
)
from domain.envelope import Usage
from domain.errors import FactDiverged, FactGap, JournalError, NotFound, RunUnlinked, StaleEpoch
from domain.ledger import EntryBody, Kind
from domain.runs import Projection
from domain.stores import PayloadCipher

NEEDS_BODIES = "needs_bodies"
"""The journal functions' word that a rare entry is due, whose body did not come along."""

_REFUSALS = {"stale_epoch": StaleEpoch, "unlinked": RunUnlinked, "fact_diverged": FactDiverged, "fact_gap": FactGap}


class PostgresJournal:
    """Implements `EffectJournal` and `RunLedger`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)
        self._intents, self._outcomes, self._flushes = Together(db, INTENTS), Together(db, OUTCOMES), Together(db, FLUSHES)

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Record that an attempt begins, with the facts that ride along; or say what is already known.

        Raises:
            NotFound: there is no such run.
            ReferenceMissing: it is done, and its output is erased.
        """
        carrier, params = intent.carrier, intent_params(intent, await self._request(intent))
        row = await self._intents.call(carrier.tenant, params, seen=carrier.temporal_run_id, share=intent_may_share(intent))
        return await self._intent_verdict(intent, row)

    async def outcome(self, outcome: Outcome) -> OutcomeVerdict:
        """Record how an attempt ended; an effect that happened is recorded even when the facts that ride along are refused.

        Raises:
            NotFound: there is no such run.
            JournalError: no intent was recorded for it.
            FactDiverged, FactGap: the facts were refused; the outcome is recorded.
        """
        params = outcome_params(outcome, await self._output(outcome))
        row = await self._outcomes.call(outcome.carrier.tenant, params, share=outcome_may_share(outcome))
        return await self._outcome_verdict(outcome, row)

    async def advance(self, outcome: Outcome, intent: Intent) -> tuple[OutcomeVerdict, IntentVerdict | None]:
        """Record how one attempt ended and, if that outcome stands, begin the next, in one transaction; None when it was not begun.

        Raises:
            NotFound, JournalError, FactDiverged, FactGap: as `outcome`; nothing was begun.
            ReferenceMissing: as `intent`.
        """
        if outcome.carrier.facts:
            verdict = await self.outcome(outcome)
            return verdict, await self.intent(intent) if verdict.answer is OutcomeAnswer.RECORDED else None
        output, request = await self._output(outcome), await self._request(intent)
        if may_be_plain(outcome, intent):
            row = await self._db.select_numbered(PLAIN_QUERY, plain_params(outcome, intent, output, request))
            if row["fact_head"] is not None:
                return _plain_verdicts(int(row["fact_head"]), output.payload)
        ended, begun = outcome_params(outcome, output), intent_params(intent, request)
        del ended[2 : 2 + len(FACT_TYPES)]
        row = await self._db.select_numbered(advance_query(len(ended), len(begun)), [outcome.carrier.tenant, *ended, *begun])
        verdict = await self._outcome_verdict(outcome, ended_row(row))
        if row["ended_answer"] != "recorded" or row["ended_facts_verdict"] != "ok":
            return verdict, None
        return verdict, await self._intent_verdict(intent, row)

    async def _request(self, intent: Intent) -> SealedPayload | None:
        """Seal what the effect was asked with."""
        carrier = intent.carrier
        return None if intent.request is None else await self._vault.seal(carrier.tenant, carrier.run, intent.request)

    async def _intent_verdict(self, intent: Intent, row: Row) -> IntentVerdict:
        if row["answer"] == NEEDS_BODIES:
            params = intent_params(intent, await self._request(intent), rare=True)
            row = await self._db.call(intent.carrier.tenant, "journal_intent", params, seen=intent.carrier.temporal_run_id)
        if row["answer"] == "fact_diverged":
            await self._tell_divergence(intent.carrier, intent.at, str(row["detail"]))
        return await self._verdict(intent.carrier, intent.key, row)

    async def _output(self, outcome: Outcome) -> Output:
        """Seal what the effect gave, and why it failed."""
        carrier, payload = outcome.carrier, None
        cipher = await self._vault.ciphers.of_run(carrier.tenant, carrier.run)
        if outcome.state is EffectState.DONE:
            payload = await self._vault.seal_with(cipher, carrier.tenant, carrier.run, outcome.output, ref=outcome.output_ref)
        return Output(payload, seal_error(cipher, carrier.tenant, effect_error_place(outcome.key), outcome.error))

    async def _outcome_verdict(self, outcome: Outcome, row: Row) -> OutcomeVerdict:
        carrier = outcome.carrier
        if row["answer"] == NEEDS_BODIES:
            row = await self._db.call(carrier.tenant, "journal_outcome", outcome_params(outcome, await self._output(outcome), rare=True))
        _refuse_unknown(carrier, outcome.key, str(row["answer"]))
        if row["facts_verdict"] not in ("stale_epoch", "unlinked"):
            await self._refuse_facts(carrier, outcome.at, str(row["facts_verdict"]), str(row["detail"]))
        return OutcomeVerdict(
            answer=OutcomeAnswer(row["answer"]),
            fact_head=row["fact_head"],
            output_ref=row["output_ref"],
            output_digest=row["output_digest"],
        )

    async def renew(self, key: EffectKey, *, lease_token: str, lease_ms: int) -> bool:
        """Extend a living attempt's lease from now; False when the row is not this attempt's any more."""
        row = await self._db.call(key.tenant, "journal_renew", [key.run, *place_of(key), lease_token, Int4(lease_ms)])
        return bool(row["answer"])

    async def resolve(
        self, carrier: Carrier, key: EffectKey, *, happened: bool, output: JsonValue, principal: str, at: str
    ) -> IntentVerdict:
        """Apply a person's answer to an effect in doubt or divergent, with the entry `human:task:completed`.

        A late outcome that came first is the truth and stays: the verdict then tells it.

        Raises:
            NotFound: there is no such run.
            JournalError: no intent was recorded for it.
            RunUnlinked: the run follows another execution.
        """
        sealed = await self._vault.seal(carrier.tenant, carrier.run, output) if happened else None
        digest = sealed.salted_digest if sealed else None
        body = effect_body(
            carrier,
            key,
            kind=Kind.TASK_COMPLETED,
            at=at,
            data={"happened": happened},
            payload_digest=digest,
            principal=principal,
        )
        row = await self._db.call(
            carrier.tenant,
            "journal_resolve",
            [
                *opening(carrier),
                *place_of(key),
                happened,
                *stored(sealed),
                sealed.plain_digest if sealed else None,
                digest,
                principal,
                Kind.TASK_COMPLETED.value,
                body.canonical(),
            ],
            seen=carrier.temporal_run_id,
        )
        _refuse_unknown(carrier, key, str(row["answer"]))
        if row["answer"] == "unlinked":
            raise RunUnlinked(str(row["detail"]))
        if row["answer"] == "fact_diverged":
            await self._tell_divergence(carrier, at, str(row["detail"]))
        return await self._verdict(carrier, key, row)

    async def flush(self, carrier: Carrier, projection: Projection, *, fact_seq: int) -> int:
        """Write facts, then the projection; return the fact head.

        Raises:
            NotFound: there is no such run.
            FactDiverged, FactGap, StaleEpoch: nothing was written, but for `platform:fact:diverged`.
        """
        params = [*opening(carrier), Int4(fact_seq), *await projection_params(self._vault, carrier.tenant, carrier.run, projection)]
        row = await self._flushes.call(carrier.tenant, params, seen=carrier.temporal_run_id, share=flush_may_share(projection))
        _refuse_unknown(carrier, None, str(row["answer"]))
        at = carrier.facts[-1].at if carrier.facts else ""
        await self._refuse_facts(carrier, at, str(row["answer"]), str(row["detail"]))
        return int(row["fact_head"])

    async def _verdict(self, carrier: Carrier, key: EffectKey, row: Row) -> IntentVerdict:
        _refuse_unknown(carrier, None, str(row["answer"]))
        answer = IntentAnswer(row["answer"])
        return IntentVerdict(
            answer=answer,
            fact_head=row["fact_head"],
            wait_ms=row["wait_ms"] or 0,
            ms_held=row.get("ms_held"),
            recorded=await self._recorded(key, row) if answer in (IntentAnswer.DONE, IntentAnswer.FAILED) else None,
            detail=row["detail"] or "",
        )

    async def _recorded(self, key: EffectKey, row: Row) -> RecordedOutcome:
        ref: str | None = row["output_ref"]
        return RecordedOutcome(
            state=EffectState(row["state"]),
            output_ref=ref,
            output_digest=row["output_digest"],
            output=None if ref is None else await self._vault.open(key.tenant, key.run, ref, row["output_sealed"]),
            error=await open_error(self._vault.ciphers, key.tenant, key.run, effect_error_place(key), row["error"]),
            usage=Usage(
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                cost_usd_micros=row["cost_usd_micros"],
                duration_ms=row["duration_ms"],
                model=row["model"],
            ),
        )

    async def _refuse_facts(self, carrier: Carrier, at: str, verdict: str, detail: str) -> None:
        if verdict == "fact_diverged":
            await self._tell_divergence(carrier, at, detail)
        if verdict in _REFUSALS:
            raise _REFUSALS[verdict](detail)

    async def _tell_divergence(self, carrier: Carrier, at: str, detail: str) -> None:
        """Append `platform:fact:diverged` in a transaction of its own: the one that met it wrote nothing."""
        body = EntryBody(
            kind=Kind.FACT_DIVERGED,
            at=at,
            principal=carrier.principal,
            correlation_id=carrier.correlation_id,
            epoch=carrier.epoch,
            data={"detail": detail},
        )
        params = [carrier.run, Kind.FACT_DIVERGED.value, carrier.principal, Int4(carrier.epoch), None, None, body.canonical()]
        await self._db.call(carrier.tenant, "append_entry", params)


def _plain_verdicts(fact_head: int, payload: SealedPayload | None) -> tuple[OutcomeVerdict, IntentVerdict]:
    """What a plain step comes to: the outcome stands, and the next attempt may go."""
    ended = OutcomeVerdict(
        answer=OutcomeAnswer.RECORDED,
        fact_head=fact_head,
        output_ref=None if payload is None else payload.ref,
        output_digest=None if payload is None else payload.plain_digest,
    )
    return ended, IntentVerdict(answer=IntentAnswer.GO, fact_head=fact_head)


def _refuse_unknown(carrier: Carrier, key: EffectKey | None, answer: str) -> None:
    if answer == "unknown_run":
        raise NotFound(f"there is no run {carrier.run}")
    if answer == "unknown_effect" and key is not None:
        raise JournalError(f"no intent was recorded for {key.step} (visit {key.visit}, call {key.call}) of run {key.run}")
