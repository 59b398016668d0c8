"""What a verified request does: starts a run, sends a signal, nothing, or ends among the dead letters.

New requests and redriven ones alike.
"""

from typing import NamedTuple
from urllib.parse import parse_qs

from pydantic import JsonValue

from api.deps import GatewayDeps, instant
from api.derived_ids import run_id_for, start_print, tenant_key
from api.fitting import check_fit
from api.json_body import parsed
from api.problems import Mistaken
from api.starting import Prepared, prepare
from domain.canonical import digest_hex
from domain.compile import merged_config
from domain.dead_letters import DeadLetterKind, NewDeadLetter
from domain.errors import StandfastError, Unavailable
from domain.expressions import ENGINE
from domain.hook_stores import HeldRequest, NewHookRequest
from domain.hook_verifiers import VERIFIERS
from domain.hooks import Hook, PlannedSignal, PlannedStart, content_of, plan, request_context
from domain.ids import parse_id
from domain.stores import NewRun


class Work(NamedTuple):
    """A request ready to be stored, with the run it starts or the dead letter it is."""

    request: NewHookRequest
    run: NewRun | None = None
    prepared: Prepared | None = None
    letter: NewDeadLetter | None = None


class Refused(NamedTuple):
    """Why a verified request cannot be handled."""

    code: str
    detail: str


def body_value(hook: Hook, body: bytes) -> JsonValue:
    """Return what a body says: JSON; from Slack a form too, whose `payload` is JSON.

    Raises:
        BadRequest, BodyTooLarge, InvalidInput: it does not parse.
    """
    if hook.scheme == "slack" and not body.lstrip().startswith((b"{", b"[")):
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        return parsed(form["payload"].encode()) if "payload" in form else dict(form)
    return parsed(body)


def webhook_id_of(hook: Hook, given: str | None, body: JsonValue, raw: bytes, signature: str) -> str:
    """Return the id under which a request counts: the header's, or the body's, or what only this very request is signed with."""
    if given is not None:
        return given
    name = {"stripe": "id", "slack": "event_id"}.get(hook.scheme, "")
    said = body.get(name) if isinstance(body, dict) else None
    if isinstance(said, str) and 0 < len(said) <= 200 and said.isascii() and said.isprintable():
        return said
    return digest_hex("standfast:hook-request:v1", {"signature": signature, "size": len(raw)})


class Handling:
    """Turns requests into work; what cannot be done becomes a dead letter, never an error to the sender."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    async def work(self, hook: Hook, *, webhook_id: str, event: str | None, raw: bytes, correlation_id: str) -> Work:
        """Return what a request does now, by the hook's rules of now.

        Raises:
            Unavailable: a part that must be asked is away.
        """
        at = instant(self._deps.now())
        signed = VERIFIERS[hook.scheme].id_signed
        request = NewHookRequest(
            tenant=hook.tenant,
            hook=hook.hook,
            source=hook.name,
            webhook_id=webhook_id,
            content=webhook_id
            if signed
            else content_of(tenant_key(self._deps.run_id_key, "standfast:hooks:v1", hook.tenant), hook.hook, raw),
            first="ignored",
            correlation_id=correlation_id,
            at=at,
        )
        held = HeldRequest(body=raw.decode("latin-1"), event=event)
        try:
            planned = plan(hook, request_context(hook.name, webhook_id=webhook_id, event=event, body=body_value(hook, raw), at=at))
            if isinstance(planned, PlannedStart):
                return await self._start(hook, request, planned)
            if planned is None:
                return Work(request)
            return Work(request.model_copy(update={"first": "waiting", "held": held.model_copy(update={"signal": _addressed(planned)})}))
        except Unavailable:
            raise
        except Mistaken as mistaken:
            refused = Refused(mistaken.error.code, mistaken.error.detail)
        except StandfastError as error:
            refused = Refused(error.code, error.detail)
        return Work(request.model_copy(update={"first": "dead", "held": held}), letter=dead(request, refused))

    async def _start(self, hook: Hook, request: NewHookRequest, planned: PlannedStart) -> Work:
        name, _, version_range = planned.definition.partition("@")
        definition = await self._deps.definitions.get(hook.tenant, name, version_range or None)
        check_fit("/input", definition, definition.input_schema, planned.input)
        check_fit("/config", definition, definition.config_schema, merged_config(definition.config_defaults, planned.config))
        prepared = await prepare(self._deps, hook.tenant, definition, run_input=planned.input, config=planned.config)
        key = self._deps.run_id_key
        asked: dict[str, JsonValue] = {"hook": hook.hook, "webhook": request.webhook_id, "input": planned.input, "config": planned.config}
        run = NewRun(
            tenant=hook.tenant,
            run=run_id_for(key, hook.tenant, f"hook\0{hook.hook}\0{request.webhook_id}"),
            definition=definition.name,
            version=definition.version,
            definition_sha256=definition.sha256,
            principal=hook.hook,
            correlation_id=request.correlation_id,
            fingerprint=start_print(key, hook.tenant, "standfast:hook-start:v1", asked),
            input=planned.input,
            config=planned.config,
            expression_engine=ENGINE,
            subject=None if prepared.subject is None else self._deps.subjects.pseudonym(hook.tenant, prepared.subject),
        )
        return Work(request.model_copy(update={"first": "started"}), run=run, prepared=prepared)


def dead(request: NewHookRequest, refused: Refused, *, attempts: int = 1, first_at: str | None = None) -> NewDeadLetter:
    """Return the dead letter of a request that was given up."""
    return NewDeadLetter(
        tenant=request.tenant,
        kind=DeadLetterKind.HOOK,
        subject=f"{request.hook}/{request.webhook_id}",
        occasion=request.at,
        cause=refused.code,
        detail=refused.detail,
        attempts=attempts,
        first_at=first_at or request.at,
        last_at=request.at,
    )


def _addressed(planned: PlannedSignal) -> PlannedSignal:
    """Return a signal whose `run` is a run's id.

    Raises:
        InvalidId: it is none.
    """
    if planned.run is not None:
        parse_id(planned.run, "run")
    return planned
