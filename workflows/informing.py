"""Reviewers' questions that are with the agents behind their approvals. Deterministic.

One that its agent cannot answer stays open for the requester: a model that is away holds nobody up.
"""

import asyncio
from collections.abc import Callable

from temporalio.exceptions import ActivityError

from domain.state import AskApproval, CompletePrompt, State
from domain.visible_text import visible_lines
from workflows.couriers import Courier

Inform = Callable[[AskApproval], CompletePrompt | None]
"""Gives the model call that answers an approval's open question; None where a person has to."""


class Informants:
    """The questions of one run that agents answer now."""

    def __init__(self, courier: Courier, state: State, inform: Inform) -> None:
        self._courier = courier
        self._state = state
        self._inform = inform
        self._running: set[asyncio.Task[str | None]] = set()

    @property
    def quiet(self) -> bool:
        """Whether no agent is asked now."""
        return not self._running

    def put(self, command: AskApproval) -> "AgentAnswer | None":
        """Put an approval's open question to its agent; None where a person has to answer."""
        prompt = self._inform(command)
        if prompt is None:
            return None
        task = asyncio.create_task(self._answer(prompt))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return AgentAnswer(self._courier, prompt.id, task)

    async def _answer(self, prompt: CompletePrompt) -> str | None:
        try:
            receipt = await self._courier.complete_prompt(prompt)
        except ActivityError:
            return None
        self._state.usage = self._state.usage + receipt.usage
        answer = receipt.fields.get("answer")
        return visible_lines(answer) if isinstance(answer, str) and answer.strip() else None


class AgentAnswer:
    """An answer that is on its way."""

    def __init__(self, courier: Courier, command: str, task: "asyncio.Task[str | None]") -> None:
        self._courier = courier
        self._command = command
        self._task = task

    @property
    def here(self) -> bool:
        """Whether it has come, or will not."""
        return self._task.done()

    def text(self) -> str | None:
        """Return the answer that is here; None when the agent had none."""
        return self._task.result()

    def call_off(self) -> None:
        """Ask the model call to stop, if it still runs: nobody waits for it any more."""
        self._courier.cancel({self._command})
