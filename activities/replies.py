"""What is stored of a model's reply: its calls checked against the tools, its answer against the schema, within the bounds of history."""

import json
from typing import cast

from pydantic import JsonValue

from activities.requests import PromptRequest
from domain.canonical import canonical_bytes
from domain.provider import CompletionReply, Message, ModelToolCall, StopReason
from domain.schemas import validate

INLINE_ARGUMENTS_MAX = 2048
"""Larger arguments of a model's tool call travel by reference (bytes of canonical JSON)."""

CALLS_BYTES_MAX = 4096
"""Most that arguments or complaints of all calls of one turn put into history together: half of what a projection may hold."""


def outcome(request: PromptRequest, reply: CompletionReply, head: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the stored outcome: the reply as a message, the calls checked against the tools, the answer against its schema."""
    message = Message(role="assistant", text=reply.text, tool_calls=reply.tool_calls)
    answer, problems = (None, []) if reply.stop is not StopReason.ANSWERED else read_answer(request.output_schema, reply.text)
    return {
        "stop": reply.stop.value,
        "head": head,
        "calls": [_checked(request, call, room=CALLS_BYTES_MAX // len(reply.tool_calls)) for call in reply.tool_calls],
        "problems": cast("list[JsonValue]", _within(problems, CALLS_BYTES_MAX)),
        "answer": answer,
        "scripted": reply.scripted,
        "model": reply.model,
        "reply": message.model_dump(mode="json"),
    }


def _within(problems: list[str], room: int) -> list[str]:
    """The first problems, as many as fit; at least the first, cut."""
    kept = problems[:1]
    for problem in problems[1:]:
        if sum(map(len, kept)) + len(problem) > room:
            break
        kept.append(problem)
    return [problem[:room] for problem in kept]


def _checked(request: PromptRequest, call: ModelToolCall, *, room: int) -> dict[str, JsonValue]:
    """The call as the workflow sees it; `room` bounds what it may put into history."""
    tool = next((t for t in request.tools if t.name == call.name), None)
    problem: str | None = None
    if call.arguments is None:
        problem = f"the arguments are no JSON object: {call.raw_arguments[:200]}"
    elif tool is not None and (problems := validate(tool.parameters, call.arguments)):
        problem = f"the arguments break the schema: {'; '.join(problems)[:800]}"
    told = problem[:room] if problem is not None else None
    checked: dict[str, JsonValue] = {"name": call.name[:200], "vendor_id": call.vendor_id, "problem": told, "arguments": None}
    if problem is None and len(canonical_bytes(call.arguments)) <= min(INLINE_ARGUMENTS_MAX, room):
        checked["arguments"] = call.arguments
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
