"""The fake `LlmProvider`: plays replies and errors from a queue and remembers what it was asked; no network, no vendor."""

import asyncio
import json
from collections import deque
from collections.abc import Iterator

from domain.errors import ModelFailed, ModelUnavailable, StandfastError
from domain.provider import CompletionReply, CompletionRequest, Delta, ModelToolCall, OnDelta, StopReason


class FakeProvider:
    """Plays `plan` in order; an empty plan is a `ModelFailed` that says so. Two deltas for every text and every call's arguments."""

    def __init__(self, *plan: CompletionReply | StandfastError) -> None:
        self.requests: list[CompletionRequest] = []
        self._plan = deque[CompletionReply | StandfastError](plan)
        self._hanging = False
        self._reasoning = ""

    def plan(self, *answers: CompletionReply | StandfastError) -> None:
        """Add answers to the end of the plan."""
        self._plan.extend(answers)

    def think(self, reasoning: str) -> None:
        """Stream this before every answer from now on."""
        self._reasoning = reasoning

    def hang(self) -> None:
        """Never answer again: calls wait until their timeout or their cancellation."""
        self._hanging = True

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return or raise what is next, as `LlmProvider.complete` promises.

        Raises:
            ModelFailed: the plan is empty.
        """
        self.requests.append(request)
        if self._hanging:
            await self._wait(timeout_s)
        if not self._plan:
            raise ModelFailed("the test planned no reply for the fake model")
        answer = self._plan.popleft()
        if isinstance(answer, StandfastError):
            raise answer
        if on_delta is not None:
            for delta in _deltas(answer, self._reasoning):
                await on_delta(delta)
        return answer.model_copy(update={"model": request.model, "answered_by": request.model})

    async def _wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.Event().wait()
        except TimeoutError:
            raise ModelUnavailable(f"the fake model did not answer within {timeout_s:g} seconds") from None


def _deltas(answer: CompletionReply, reasoning: str) -> Iterator[Delta]:
    yield from (Delta(kind="reasoning", text=piece) for piece in _halves(reasoning))
    if answer.stop is not StopReason.REFUSED:
        yield from (Delta(kind="text", text=piece) for piece in _halves(answer.text))
    for place, call in enumerate(answer.tool_calls):
        yield Delta(kind="tool_arguments", text="", index=place, name=call.name)
        arguments = call.raw_arguments if call.arguments is None else json.dumps(call.arguments)
        yield from (Delta(kind="tool_arguments", text=piece, index=place) for piece in _halves(arguments))


def _halves(text: str) -> list[str]:
    middle = (len(text) + 1) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def answered(text: str) -> CompletionReply:
    """Return a final answer."""
    return CompletionReply(text=text, stop=StopReason.ANSWERED, model="fake/model", input_tokens=10, output_tokens=5)


def calling(*calls: ModelToolCall, text: str = "") -> CompletionReply:
    """Return a reply that asks for tool calls."""
    return CompletionReply(
        text=text, tool_calls=list(calls), stop=StopReason.TOOL_CALLS, model="fake/model", input_tokens=10, output_tokens=5
    )
