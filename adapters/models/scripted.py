"""The scripted model: plays a file, offline and the same every time. It runs only as `scripted/<name>`, and its replies say so."""

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from pydantic import JsonValue

from adapters.models.script_file import LoadedScript, ScriptedFailure, ScriptedReply, ScriptedTurn, ValueTest, When, load_script
from adapters.models.script_values import Path, PathError, conversation_values, fill, fill_text, look_up
from adapters.models.token_estimate import estimated_input_tokens, estimated_output_tokens
from adapters.models.tool_arguments import RAW_ARGUMENTS_CHARS_MAX
from adapters.models.vendor_errors import VendorErrors
from domain.errors import ModelFailed, UnknownModel
from domain.provider import CompletionReply, CompletionRequest, Delta, ModelToolCall, OnDelta, StopReason

SCRIPTED_PREFIX = "scripted/"
"""What `model` must begin with: no other name ever reaches a script."""

_FAILURES_REMEMBERED_MAX = 10_000
_STOPS = {"refused": StopReason.REFUSED, "length": StopReason.LENGTH}


class ScriptedProvider:
    """Plays scripts; `scripts` maps a name to its file, all read and checked at once.

    A reply is a function of the request alone, so a retry or another worker gets the same. The one exception is `fail.times`, which
    counts the attempts of each request in this process. Tokens are an estimate, four characters to one.

    Raises:
        InvalidDefinition: a script has mistakes; the text names file and line.
    """

    def __init__(self, scripts: Mapping[str, FilePath]) -> None:
        self._scripts = {name: load_script(path) for name, path in scripts.items()}
        self._errors = VendorErrors("The scripted model", None)
        self._failures: Counter[str] = Counter()

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the reply of the first turn that fits, as `LlmProvider.complete` promises.

        Raises:
            UnknownModel: `request.model` does not name a script that is configured.
            ModelFailed: no turn fits, or a path of the turn leads nowhere; the text names file and line.
            ModelUnavailable: the script fails on purpose, or its delay is longer than `timeout_s`.
        """
        loaded = self._named(request.model)
        values = conversation_values(request, loaded.script.capture)
        index, turn = self._turn(loaded, request, values)
        async with self._errors.deadline(timeout_s):
            await asyncio.sleep(turn.delay_s)
            if turn.fail is not None:
                self._fail(turn.fail, request, index)
            scripted = turn.reply or ScriptedReply(text="")
            try:
                reply = _reply(scripted, request, values)
                reasoning = fill_text(scripted.reasoning or "", values)
            except PathError as error:
                raise ModelFailed(f"the script cannot play this turn: {error}", where=loaded.where(index)) from None
            if on_delta is not None:
                for delta in _deltas(reply, reasoning, turn.delta_chars):
                    await on_delta(delta)
                    await asyncio.sleep(turn.delta_s)
        return reply

    def _named(self, model: str) -> LoadedScript:
        name = model.removeprefix(SCRIPTED_PREFIX)
        if not model.startswith(SCRIPTED_PREFIX) or name not in self._scripts:
            have = ", ".join(SCRIPTED_PREFIX + known for known in sorted(self._scripts)) or "none"
            raise UnknownModel(f"'{model}' is not a script that is configured here; there are: {have}")
        return self._scripts[name]

    def _turn(self, loaded: LoadedScript, request: CompletionRequest, values: Mapping[str, JsonValue]) -> tuple[int, ScriptedTurn]:
        for index, turn in enumerate(loaded.script.turns):
            if _holds(turn.when, request, values):
                return index, turn
        last = str(values["last_text"])[:200]
        raise ModelFailed(
            f"no turn of the script fits: {values['turn']} assistant messages so far, and the last message is {last!r}",
            where=loaded.where(),
        )

    def _fail(self, failure: ScriptedFailure, request: CompletionRequest, index: int) -> None:
        if len(self._failures) >= _FAILURES_REMEMBERED_MAX:
            self._failures.clear()
        key = hashlib.sha256(f"{index}:{request.model_dump_json()}".encode("utf-8", "surrogatepass")).hexdigest()
        self._failures[key] += 1
        if failure.times is not None and self._failures[key] > failure.times:
            return
        headers = {} if failure.retry_after_s is None else {"retry-after": str(failure.retry_after_s)}
        raise self._errors.from_status(failure.status, failure.message, headers)


def _holds(when: When, request: CompletionRequest, values: Mapping[str, JsonValue]) -> bool:
    first, last = str(values["first_text"]), str(values["last_text"])
    last_role = request.messages[-1].role if request.messages else None
    return (
        when.turn in (None, values["turn"])
        and when.last_role in (None, last_role)
        and (when.instructions_contain or "") in request.instructions
        and _text_holds(first, when.first_contains, when.first_matches)
        and _text_holds(last, when.last_contains, when.last_matches)
        and all(_value_holds(Path.parse(path), test, values) for path, test in when.values.items())
    )


def _text_holds(text: str, part: str | None, pattern: str | None) -> bool:
    return (part or "") in text and (pattern is None or re.search(pattern, text) is not None)


def _value_holds(path: Path, test: ValueTest, values: Mapping[str, JsonValue]) -> bool:
    try:
        value = look_up(path, values)
    except PathError:
        return test.exists is False
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return (
        test.exists is not False
        and ("equals" not in test.model_fields_set or _same(value, test.equals))
        and (test.one_of is None or any(_same(value, allowed) for allowed in test.one_of))
        and (test.at_least is None or (number is not None and number >= test.at_least))
        and (test.below is None or (number is not None and number < test.below))
    )


def _deltas(reply: CompletionReply, reasoning: str, chars: int) -> Iterator[Delta]:
    """The reply in pieces, as a vendor's stream brings it."""
    yield from (Delta(kind="reasoning", text=piece) for piece in _cut(reasoning, chars))
    if reply.stop is not StopReason.REFUSED:
        yield from (Delta(kind="text", text=piece) for piece in _cut(reply.text, chars))
    for place, call in enumerate(reply.tool_calls):
        yield Delta(kind="tool_arguments", text="", index=place, name=call.name)
        arguments = call.raw_arguments if call.arguments is None else json.dumps(call.arguments, ensure_ascii=False)
        yield from (Delta(kind="tool_arguments", text=piece, index=place) for piece in _cut(arguments, chars))


def _cut(text: str, chars: int) -> Iterator[str]:
    return (text[start : start + chars] for start in range(0, len(text), chars))


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Compare as JSON does: true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _reply(scripted: ScriptedReply, request: CompletionRequest, values: Mapping[str, JsonValue]) -> CompletionReply:
    if scripted.has_json:
        text = json.dumps(fill(scripted.json_value, values), ensure_ascii=False)
    else:
        text = fill_text(scripted.text or "", values)
    calls = [
        ModelToolCall(
            vendor_id=f"call_{values['turn']}_{place}",
            name=call.tool,
            arguments=None if call.raw_arguments is not None else {name: fill(part, values) for name, part in call.arguments.items()},
            raw_arguments=(call.raw_arguments or "")[:RAW_ARGUMENTS_CHARS_MAX],
        )
        for place, call in enumerate(scripted.tool_calls)
    ]
    ordinary = StopReason.TOOL_CALLS if calls else StopReason.ANSWERED
    return CompletionReply(
        text=text,
        tool_calls=calls,
        stop=_STOPS[scripted.stop] if scripted.stop else ordinary,
        model=request.model,
        input_tokens=estimated_input_tokens(request),
        output_tokens=estimated_output_tokens(text, calls),
        scripted=True,
    )
