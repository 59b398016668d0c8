"""Ledger bodies of the journal's own entries, and facts as the arrays that SQL takes. Pure."""

from pydantic import JsonValue

from adapters.postgres.arrays import Blobs, Integers, Texts
from domain.effects import Carrier, EffectKey, Intent, Outcome
from domain.envelope import Usage
from domain.ledger import EntryBody

FACT_TYPES = ("integer", "integer", "text", "text", "text", "text", "bytea")
"""The SQL types of `fact_arrays`; every journal function takes them after the run and its epoch."""


def fact_arrays(carrier: Carrier) -> list[object]:
    """Return (seqs, epochs, kinds, principals, steps, digests, bodies) as parallel arrays, in the carrier's order.

    Raises:
        InvalidInput: a fact has no canonical form.
    """
    facts = carrier.facts
    encoded = [fact.encoded(principal=carrier.principal, correlation_id=carrier.correlation_id) for fact in facts]
    return [
        Integers([fact.seq for fact in facts]),
        Integers([fact.epoch for fact in facts]),
        Texts([fact.kind for fact in facts]),
        Texts([one.principal for one in encoded]),
        Texts([fact.step for fact in facts]),
        Texts([one.digest for one in encoded]),
        Blobs([one.body for one in encoded]),
    ]


def effect_body(
    carrier: Carrier,
    key: EffectKey,
    *,
    kind: str,
    at: str,
    data: dict[str, JsonValue],
    attempt: int | None = None,
    payload_digest: str | None = None,
    principal: str | None = None,
) -> EntryBody:
    """Return the body of an entry about one effect; `principal` is the run's unless a person is named."""
    return EntryBody(
        kind=kind,
        at=at,
        principal=principal or carrier.principal,
        correlation_id=carrier.correlation_id,
        epoch=carrier.epoch,
        step=key.step,
        visit=key.visit,
        call=key.call,
        attempt=attempt,
        payload_digest=payload_digest,
        data=data,
    )


def intent_body(intent: Intent, kind: str, payload_digest: str | None = None) -> bytes:
    """Return the canonical body of what an intent adds to the chain."""
    # Not the request's own digest: it has no salt, and a guess of short arguments could be confirmed by it for ever (JOURNAL §4).
    data: dict[str, JsonValue] = {"subject": intent.subject, "effect_class": intent.effect_class.value}
    body = effect_body(
        intent.carrier, intent.key, kind=kind, at=intent.at, data=data, attempt=intent.attempt, payload_digest=payload_digest
    )
    return body.canonical()


def outcome_body(outcome: Outcome, kind: str, payload_digest: str | None = None) -> bytes:
    """Return the canonical body of what an outcome adds to the chain: state, usage and the error's code, never its detail."""
    data: dict[str, JsonValue] = {"state": outcome.state.value, **_usage_data(outcome.usage)}
    if outcome.error is not None:
        data["error"] = outcome.error.get("code", "")
    data |= outcome.data
    body = effect_body(
        outcome.carrier, outcome.key, kind=kind, at=outcome.at, data=data, attempt=outcome.attempt, payload_digest=payload_digest
    )
    return body.canonical()


def _usage_data(usage: Usage) -> dict[str, JsonValue]:
    """Return what cost something; money is a string in canonical JSON (JOURNAL §3)."""
    data: dict[str, JsonValue] = {}
    if usage.input_tokens or usage.output_tokens:
        data |= {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    if usage.cost_usd_micros:
        data["cost_usd_micros"] = str(usage.cost_usd_micros)
    if usage.model is not None:
        data["model"] = usage.model
    return data
