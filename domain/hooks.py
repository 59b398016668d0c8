"""Inbound webhooks: sources that a tenant registers, and what their requests are to do. Pure; stores are in `domain/hook_stores.py`.

A hook's id is its address (`/hooks/hok_…`): 128 random bits that name hook and tenant, so nothing in a request is believed to find them.
A request's work is done once per webhook id: its row and its run are written in one transaction, and a repeated one gets the first answer.
"""

import hashlib
import hmac
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from domain.canonical import canonical_bytes
from domain.errors import ExpressionFailed, InvalidInput
from domain.expressions import check_expression, holes, references, render
from domain.hook_verifiers import TOLERANCE_S, Scheme
from domain.model import Value
from domain.signals import SIGNAL_BYTES_MAX, SignalName

HookName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
RATE_PER_MINUTE = 600
"""Requests a minute that one hook takes when it says nothing else."""

RATE_PER_MINUTE_MAX = 60_000
LIVE_SECRETS_MAX = 4
"""Most secrets valid at the same time."""

HOLD_S = 86_400
"""How long a signal waits for a run that listens for it, unless the hook says otherwise."""

HOLD_S_MAX = 30 * 86_400


class StartAction(Value):
    """Start a run of `definition` (`name` or `name@range`); `input` and `config` are templates over the request."""

    kind: Literal["start"] = "start"
    definition: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    input: JsonValue = "${ input.body }"
    config: dict[str, JsonValue] = {}


class SignalAction(Value):
    """Send a signal to one run: the one that `run` names, or the one that listens with what `correlate` gives, the longest waiting first.

    While nobody listens, the signal is kept for `hold_s` seconds.
    """

    kind: Literal["signal"] = "signal"
    signal: SignalName
    run: str | None = None
    correlate: str | None = None
    payload: JsonValue = "${ input.body }"
    hold_s: Annotated[int, Field(ge=1, le=HOLD_S_MAX)] = HOLD_S


Action = Annotated[StartAction | SignalAction, Field(discriminator="kind")]


class HookRules(Value):
    """What may be changed of a hook. `when` is a condition, one whole `${ }`: a request for which it is false is accepted and ignored."""

    name: HookName
    action: Action
    when: str | None = None
    tolerance_s: Annotated[int, Field(ge=1, le=TOLERANCE_S)] = TOLERANCE_S
    rate_per_minute: Annotated[int, Field(ge=1, le=RATE_PER_MINUTE_MAX)] = RATE_PER_MINUTE
    enabled: bool = True


class Hook(HookRules):
    """A registered source. `secrets` says which secrets are valid: their ids, and until when (RFC 3339, None: for good)."""

    tenant: str
    hook: str
    scheme: Scheme
    secrets: dict[str, str | None] = {}
    created_by: str
    created_at: str
    updated_at: str


class FoundHook(Value):
    """An enabled hook with its valid secrets as they are: for the gateway's verification only, never shown."""

    hook: Hook
    secrets: tuple[str, ...]


class PlannedStart(Value):
    """A run to start."""

    definition: str
    input: JsonValue
    config: dict[str, JsonValue]


class PlannedSignal(Value):
    """A signal to send: to `run`, or to whoever listens for it with `key`. `ref` names its stored payload once a run is found."""

    signal: str
    payload: JsonValue
    run: str | None = None
    key: str | None = None
    ref: str | None = None


def request_context(hook: str, *, webhook_id: str, event: str | None, body: JsonValue, at: str) -> dict[str, JsonValue]:
    """Return what a hook's templates read, under `input`: `body`, `id`, `type`, `received_at` and `hook`."""
    said = body.get("type") if isinstance(body, dict) else None
    kind = event if event is not None else said if isinstance(said, str) else ""
    return {"input": {"body": body, "id": webhook_id, "type": kind, "received_at": at, "hook": hook}}


def plan(rules: HookRules, context: dict[str, JsonValue]) -> PlannedStart | PlannedSignal | None:
    """Return what a request is to do, None when the hook's `when` says nothing.

    Raises:
        ExpressionFailed: a template fails, or gives a value of a wrong kind.
        InvalidInput: a signal's payload is over the limit.
    """
    if rules.when is not None:
        wanted = render(rules.when, context)
        if not isinstance(wanted, bool):
            raise ExpressionFailed("`when` gives no true or false")
        if not wanted:
            return None
    action = rules.action
    if isinstance(action, StartAction):
        return PlannedStart(
            definition=action.definition,
            input=render(action.input, context),
            config={k: render(v, context) for k, v in action.config.items()},
        )
    payload = render(action.payload, context)
    if (size := len(canonical_bytes(payload))) > SIGNAL_BYTES_MAX:
        raise InvalidInput(
            f"the signal's payload has {size} bytes and may have {SIGNAL_BYTES_MAX}: let `payload` name the parts a run needs"
        )
    return PlannedSignal(
        signal=action.signal, payload=payload, run=_text(action.run, context, "run"), key=_text(action.correlate, context, "correlate")
    )


def check_rules(rules: HookRules) -> None:
    """Refuse templates that can never be evaluated, and a signal that says not exactly one way to its run.

    Raises:
        InvalidInput: with the place in the body.
    """
    if rules.when is not None:
        _check(rules.when, "/when", whole=True)
    action = rules.action
    if isinstance(action, StartAction):
        _check(action.input, "/action/input")
        _check(action.config, "/action/config")
        return
    if (action.run is None) == (action.correlate is None):
        raise InvalidInput("a signal names its run by exactly one of `run` and `correlate`", where="/action")
    for name in ("run", "correlate", "payload"):
        _check(getattr(action, name), f"/action/{name}")


def signal_id(hook: str, webhook_id: str) -> str:
    """Return the id under which a request's signal is sent, however often: 32 hex characters."""
    return hashlib.sha256(f"standfast:hook-signal:v1\0{hook}\0{webhook_id}".encode()).hexdigest()[:32]


def content_of(key: bytes, hook: str, body: bytes) -> str:
    """Return the HMAC in hex by which a body is known again; `key` is the tenant's."""
    return hmac.new(key, b"standfast:hook-content:v1\0" + hook.encode() + b"\0" + body, hashlib.sha256).hexdigest()


def _text(template: str | None, context: dict[str, JsonValue], name: str) -> str | None:
    if template is None:
        return None
    value = render(template, context)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise ExpressionFailed(f"`{name}` gives no text of 1 to 200 characters")
    return value


def _check(template: JsonValue, where: str, *, whole: bool = False) -> None:
    try:
        reads = references(template)
        flaws = [
            flaw.message for text in _texts(template) for hole in holes(text) for flaw in check_expression(hole.source, want_bool=whole)
        ]
    except ExpressionFailed as error:
        raise InvalidInput(error.detail, where=where) from error
    if flaws:
        raise InvalidInput("; ".join(flaws), where=where)
    if strange := sorted(root for root, _ in reads if root != "input"):
        raise InvalidInput(f"a hook's expressions read `input` (body, id, type, received_at, hook), not `{strange[0]}`", where=where)
    if whole and not (isinstance(template, str) and template.startswith("${") and len(holes(template)) == 1):
        raise InvalidInput('a condition is one whole expression, such as "${ input.body.paid }"', where=where)


def _texts(template: JsonValue) -> list[str]:
    if isinstance(template, str):
        return [template]
    inner = template.values() if isinstance(template, dict) else template if isinstance(template, list) else ()
    return [text for item in inner for text in _texts(item)]
