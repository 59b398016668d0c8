"""The calls of a segment while it is walked: on their way, made, or where the walk stops."""

import asyncio
from dataclasses import dataclass

from activities.attempts import AttemptPlan
from activities.journal_calls import AttemptName
from activities.requests import ToolRequest
from activities.tool_calls import CheckedCall, ToolActivities
from domain.effects import IntentAnswer, Outcome
from domain.envelope import Envelope, Receipt
from domain.state import CallTool

ALONE = frozenset(
    {IntentAnswer.FAILED, IntentAnswer.BUDGET_EXCEEDED, IntentAnswer.IN_DOUBT, IntentAnswer.DIVERGENT, IntentAnswer.NEW_VISIT}
)
"""Answers that end the walk at a call: as an activity of its own it fails with them, or asks a person."""


@dataclass
class Ongoing:
    """A call on its way: its command, envelope, request, plan and attempt.

    `checking` looks whether it may be made while its intent is being written; what that finds counts once it has been.
    """

    command: CallTool
    envelope: Envelope
    request: ToolRequest
    plan: AttemptPlan
    name: AttemptName
    checking: "asyncio.Task[CheckedCall] | None" = None


@dataclass
class Stop:
    """Why the walk goes no further with a call; `wait_s` is the pause before it is made again, `again` whether this try counts."""

    command: str
    wait_s: float = 0.0
    again: bool = False
    outcome: Outcome | None = None


@dataclass
class Made:
    """A call that succeeded: what the stepper takes, and what the journal is to record."""

    receipt: Receipt
    outcome: Outcome


class Checks:
    """Looks at calls while their intents are being written; a check that nobody needs any more is ended with the walk."""

    def __init__(self, tools: ToolActivities) -> None:
        self._tools = tools
        self._running: set[asyncio.Task[CheckedCall]] = set()

    def begin(self, call: Ongoing) -> None:
        """Look at a call, once what the caller goes on to write is on its way."""
        call.checking = asyncio.create_task(self._check(call))
        self._running.add(call.checking)
        call.checking.add_done_callback(self._over)

    async def of(self, call: Ongoing) -> CheckedCall:
        """Return the call as it may be made. Raises: as `ToolActivities.check`."""
        return await (call.checking or self._tools.check(call.envelope, call.request))

    async def aclose(self) -> None:
        """End what is still looked at."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _check(self, call: Ongoing) -> CheckedCall:
        await asyncio.sleep(0)
        return await self._tools.check(call.envelope, call.request)

    def _over(self, task: "asyncio.Task[CheckedCall]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it gets it too; without a word nobody misses it
