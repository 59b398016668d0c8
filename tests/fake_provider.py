"""The fake `LlmProvider`: plays replies and errors from a queue and remembers what it was asked; no network, no vendor."""

import asyncio
from collections import deque

from domain.errors import ModelFailed, ModelUnavailable, StandfastError
from domain.provider import CompletionReply, CompletionRequest, ModelToolCall, OnDelta, StopReason


class FakeProvider:
    """Plays `plan` in order; an empty plan is a `ModelFailed` that says so. Two deltas for every text."""

    def __init__(self, *plan: CompletionReply | StandfastError) -> None:
        self.requests: list[CompletionRequest] = []
        self._plan = deque[CompletionReply | StandfastError](plan)
        self._hanging = False

    def plan(self, *answers: CompletionReply | StandfastError) -> None:
        """Add answers to the end of the plan."""
        self._plan.extend(answers)

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
        middle = (len(answer.text) + 1) // 2
        for piece in filter(None, (answer.text[:middle], answer.text[middle:])):
            if on_delta is not None:
                await on_delta(piece)
        return answer.model_copy(update={"model": request.model})

    async def _wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.Event().wait()
        except TimeoutError:
            raise ModelUnavailable(f"the fake model did not answer within {timeout_s:g} seconds") from None


def answered(text: str) -> CompletionReply:
    """Return a final answer."""
    return CompletionReply(text=text, stop=StopReason.ANSWERED, model="fake/model", input_tokens=10, output_tokens=5)


def calling(*calls: ModelToolCall, text: str = "") -> CompletionReply:
    """Return a reply that asks for tool calls."""
    return CompletionReply(
        text=text, tool_calls=list(calls), stop=StopReason.TOOL_CALLS, model="fake/model", input_tokens=10, output_tokens=5
    )
