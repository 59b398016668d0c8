"""Builders of requests and scripts for the tests of this folder."""

import json
from pathlib import Path

from pydantic import JsonValue

from domain.provider import CompletionRequest, Message, ModelToolCall

CLAIM: dict[str, JsonValue] = {"claim_id": "CLM-1001", "carrier": "EV", "flight": 4250, "date": "2013-01-14"}


def request_of(model: str, *messages: Message, instructions: str = "Review the claim.") -> CompletionRequest:
    """Return a request; without messages, one about the claim, prose before the JSON."""
    first = Message(role="user", text=f"Please review this claim:\n{json.dumps(CLAIM)}")
    return CompletionRequest(model=model, instructions=instructions, messages=list(messages) or [first])


def answer_to(request: CompletionRequest, call: ModelToolCall, result: str) -> CompletionRequest:
    """Return the request that follows: the call, and its result."""
    said = Message(role="assistant", tool_calls=[call])
    return request.model_copy(update={"messages": [*request.messages, said, Message(role="tool", text=result, vendor_id=call.vendor_id)]})


def script(folder: Path, text: str) -> Path:
    """Write a script and return its path."""
    path = folder / "script.yaml"
    path.write_text(text, encoding="utf-8")
    return path
