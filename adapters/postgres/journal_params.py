"""The parameters of the journal's SQL functions, made of intents, outcomes and their sealed payloads. Pure."""

from typing import NamedTuple

from psycopg.types.json import Json, Jsonb
from psycopg.types.numeric import Int4, Int8

from adapters.postgres.entries import fact_arrays, intent_body, outcome_body
from adapters.postgres.sealing import SealedPayload
from adapters.postgres.values import storable_or_none
from domain.effects import Carrier, EffectKey, Intent, Outcome
from domain.envelope import Usage
from domain.ledger import Kind


class Output(NamedTuple):
    """What an outcome brings, sealed: its output, and its error for the column `error`."""

    payload: SealedPayload | None
    error: Json | None


def intent_params(intent: Intent, request: SealedPayload | None, *, rare: bool = False) -> list[object]:
    """Return the parameters of `journal_intent` after its tenant; the bodies of `rare` entries come only when it asks for them."""
    key, carrier = intent.key, intent.carrier
    digest = request.salted_digest if request else None
    return [
        *opening(carrier),
        *place_of(key),
        *attempt_of(intent),
        intent.temporal_run_id,
        *stored(request),
        digest,
        carrier.principal,
        intent.kind,
        intent_body(intent, intent.kind, digest),
        intent_body(intent, Kind.EFFECT_IN_DOUBT) if rare else None,
        intent_body(intent, Kind.EFFECT_DIVERGED) if rare else None,
        None if intent.charge is None else Jsonb(intent.charge.model_dump(mode="json")),
    ]


def outcome_params(outcome: Outcome, output: Output, *, rare: bool = False) -> list[object]:
    """Return the parameters of `journal_outcome` after its tenant; the body of a late outcome comes only when it asks for it."""
    carrier, payload = outcome.carrier, output.payload
    digest = payload.salted_digest if payload else None
    return [
        *opening(carrier),
        *place_of(outcome.key),
        outcome.lease_token,
        outcome.state.value,
        Int4(outcome.attempt),
        output.error,
        *stored(payload),
        payload.plain_digest if payload else None,
        *_usage(outcome.usage),
        digest,
        carrier.principal,
        outcome.kind,
        outcome_body(outcome, outcome.kind, digest),
        outcome_body(outcome, Kind.EFFECT_SETTLED_LATE) if rare else None,
    ]


def opening(carrier: Carrier) -> list[object]:
    """Return what every journal function begins with: run, epoch and the facts that ride along."""
    return [carrier.run, Int4(carrier.epoch), *fact_arrays(carrier)]


def place_of(key: EffectKey) -> list[object]:
    """Return step, visit and call."""
    return [key.step, Int4(key.visit), key.call]


def attempt_of(intent: Intent) -> list[object]:
    """Return what an attempt is of and how long it holds it: digest, classes, subject, number, token and lease."""
    return [
        intent.digest,
        intent.effect_class.value,
        intent.retry_class.value,
        intent.subject,
        Int4(intent.attempt),
        intent.lease_token,
        Int4(intent.lease_ms),
    ]


def stored(payload: SealedPayload | None) -> list[object]:
    """Return a payload's reference and sealed bytes."""
    return [None, None] if payload is None else [payload.ref, payload.sealed]


def _usage(usage: Usage) -> list[object]:
    counts = (usage.input_tokens, usage.output_tokens, usage.cost_usd_micros, usage.duration_ms)
    return [*map(Int8, counts), storable_or_none(usage.model)]
