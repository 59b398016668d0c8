"""What is stored of a model's reply: its calls checked against the tools, its answer against the schema, within the bounds of history."""

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import cast

from pydantic import JsonValue

from activities.requests import PromptRequest
from domain.canonical import canonical_bytes
from domain.fallbacks import told
from domain.large_arguments import SHOWN_BYTES_MAX, LargeArguments, arguments_sha256, cut_arguments
from domain.policy import PolicyVerdict
from domain.provider import CompletionReply, Message, ModelToolCall, StopReason
from domain.schemas import validate

INLINE_ARGUMENTS_MAX = 2048
"""Larger arguments of a model's tool call travel by reference (bytes of canonical JSON)."""

CALLS_BYTES_MAX = 4096
"""Most that arguments or complaints of all calls of one turn put into history together: half of what a projection may hold."""


REASON_CHARS_MAX = 300
"""Longest reason of a verdict that goes into history; the whole is stored with the outcome."""


def outcome(
    request: PromptRequest, reply: CompletionReply, head: dict[str, JsonValue], verdicts: Sequence[PolicyVerdict | None] = ()
) -> dict[str, JsonValue]:
    """Return the stored outcome: the reply as a message, the calls checked against the tools, the answer against its schema.

    `verdicts` are policy's on each call; the whole of each is stored, and the workflow reads what it acts by.
    """
    message = Message(role="assistant", text=reply.text, tool_calls=reply.tool_calls)
    answer, problems = (None, []) if reply.stop is not StopReason.ANSWERED else read_answer(request.output_schema, reply.text)
    return {
        "stop": reply.stop.value,
        "head": head,
        "calls": [
            {**_checked(request, call, verdict, room=CALLS_BYTES_MAX // len(reply.tool_calls)), **_told_verdict(verdict)}
            for call, verdict in zip_longest(reply.tool_calls, verdicts)
        ],
        **({"verdicts": [None if one is None else one.model_dump(mode="json") for one in verdicts]} if verdicts else {}),
        "problems": cast("list[JsonValue]", _within(problems, CALLS_BYTES_MAX)),
        "answer": answer,
        "scripted": reply.scripted,
        "model": reply.model,
        "answered_by": reply.answered_by,
        "fallbacks": [taken.model_dump(mode="json") for taken in reply.fallbacks],
        "reply": message.model_dump(mode="json"),
    }


def noted_of(request: PromptRequest, reply: CompletionReply) -> dict[str, JsonValue]:
    """Return what the ledger entry says of a reply beyond any other effect's: who answered in whose place, and what was cached."""
    noted: dict[str, JsonValue] = {}
    if reply.fallbacks or reply.answered_by != request.model:
        noted |= {"answered_by": reply.answered_by, "fallbacks": cast("JsonValue", told(reply.fallbacks))}
    if reply.cached_input_tokens:
        noted["cached_input_tokens"] = str(reply.cached_input_tokens)
    return noted


def _told_verdict(verdict: PolicyVerdict | None) -> dict[str, JsonValue]:
    """What the workflow reads of a verdict; of one that allows, nothing but that, since its set stands in the call's own entry."""
    if verdict is None:
        return {}
    if verdict.effect == "allow":
        steered: dict[str, JsonValue] = {"steered": cast("JsonValue", verdict.steered)} if verdict.steered else {}
        return {"verdict": {"effect": "allow", "reason": "", **steered}}
    short = {"reason": verdict.reason[:REASON_CHARS_MAX], "policies": verdict.policies[:5]}
    return {"verdict": verdict.model_copy(update=short).model_dump(mode="json", exclude_defaults=True)}


def _within(problems: list[str], room: int) -> list[str]:
    """The first problems, as many as fit; at least the first, cut."""
    kept = problems[:1]
    for problem in problems[1:]:
        if sum(map(len, kept)) + len(problem) > room:
            break
        kept.append(problem)
    return [problem[:room] for problem in kept]


def _checked(request: PromptRequest, call: ModelToolCall, verdict: PolicyVerdict | None, *, room: int) -> dict[str, JsonValue]:
    """The call as the workflow sees it; `room` bounds what it may put into history, of large arguments too that a person is shown."""
    tool = next((t for t in request.tools if t.name == call.name), None)
    problem: str | None = None
    if call.arguments is None:
        problem = f"the arguments are no JSON object: {call.raw_arguments[:200]}"
    elif tool is not None and (problems := validate(tool.parameters, call.arguments)):
        problem = f"the arguments break the schema: {'; '.join(problems)[:800]}"
    told = problem[:room] if problem is not None else None
    checked: dict[str, JsonValue] = {"name": call.name[:200], "vendor_id": call.vendor_id, "problem": told, "arguments": None}
    if problem is not None or call.arguments is None:
        return checked
    size = len(canonical_bytes(call.arguments))
    if size <= min(INLINE_ARGUMENTS_MAX, room):
        checked["arguments"] = call.arguments
    elif verdict is not None and verdict.effect == "require_approval":
        large = LargeArguments(sha256=arguments_sha256(call.arguments), bytes=size)
        checked["large"] = {**large.model_dump(mode="json"), "shown": cut_arguments(call.arguments, min(SHOWN_BYTES_MAX, room))}
    return checked


def read_answer(schema: dict[str, JsonValue] | None, text: str) -> tuple[JsonValue, list[str]]:
    """Return (answer, problems): text as it is without a schema, else JSON that must fit it; a fenced code block is unwrapped."""
    if schema is None:
        return text, []
    inner = text.strip()
    if inner.startswith("```") and inner.endswith("```"):
        inner = inner.removesuffix("```").partition("\n")[2]
    try:
        answer = cast("JsonValue", json.loads(inner))
    except ValueError as error:
        return None, [f"the answer is no JSON: {error}"]
    return answer, validate(schema, answer)
