"""The bench of activity tests: the journal interceptor around an effect, over the fake journal, in a made-up activity context."""

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import cast

import pytest
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failures import FailureDetails
from activities.interceptor import JournalInterceptor
from activities.journal_calls import JournalTools
from activities.options import MARGIN
from activities.requests import CALL_TOOL
from activities.resets import ResetWatch
from domain.effects import EffectClass, EffectJournal, EffectKey, RetryClass
from domain.envelope import Envelope, Receipt
from domain.facts import Fact
from tests.fake_journal import FakeJournal

TENANT, RUN = "acme", "run_00000000000000000000000001"
AT = "2026-03-01T12:00:00.000000Z"

Effect = Callable[[Envelope], Awaitable[Receipt]]


def fact(seq: int) -> Fact:
    """Build a fact."""
    return Fact(seq=seq, kind="workflow:step:entered", at=AT, epoch=1, step="pay", visit=1)


def envelope(
    *facts: Fact,
    amount: int = 80,
    retry_class: RetryClass = RetryClass.IDEMPOTENT,
    deadline_s: float = 5,
    project: list[str] | None = None,
    max_attempts: int = 3,
    **request: JsonValue,
) -> Envelope:
    """Build the envelope of one payment."""
    asked: dict[str, JsonValue] = {
        "tool": "bank.pay",
        "version": "1.0.0",
        "arguments": {"amount": amount},
        "effect_class": EffectClass.MONEY.value,
        "retry_class": retry_class.value,
        "max_attempts": max_attempts,
        **request,
    }
    return Envelope(
        tenant=TENANT,
        run=RUN,
        epoch=1,
        step="pay",
        call="call",
        correlation_id="corr",
        principal="prn_a",
        deadline_s=deadline_s,
        facts=list(facts),
        request=asked,
        project=project or [],
    )


KEY = EffectKey(tenant=TENANT, run=RUN, step="pay", visit=1, call="call")


def paying(*outputs: JsonValue) -> tuple[Effect, list[Envelope]]:
    """Build an effect that plays these outputs, and the list of what it was called with."""
    calls: list[Envelope] = []
    left = list(outputs)

    async def pay(given: Envelope) -> Receipt:
        calls.append(given)
        return Receipt(output=left.pop(0) if left else {"paid": len(calls)})

    return pay, calls


class _Next(ActivityInboundInterceptor):
    def __init__(self, effect: Effect) -> None:  # no super: nothing stands behind the effect
        self._effect = effect

    async def execute_activity(self, input: ExecuteActivityInput) -> Receipt:  # noqa: A002 - the SDK's parameter name
        return await self._effect(cast("Envelope", input.args[0]))


class Attempts:
    """Makes attempts of one effect through the interceptor; each is a new activity attempt, as Temporal's retries are."""

    def __init__(
        self,
        effect: Effect,
        *,
        journal: EffectJournal | None = None,
        interceptor: type[JournalInterceptor] = JournalInterceptor,
        resets: ResetWatch | None = None,
    ) -> None:
        self.fake = FakeJournal.with_run(TENANT, RUN)
        tokens = itertools.count(1)
        tools = JournalTools(journal=journal or self.fake, clock=lambda: AT, token=lambda: f"token-{next(tokens)}", resets=resets)
        self._chain = interceptor(tools).intercept_activity(_Next(effect))
        self.number = 0
        self.heartbeats = 0
        self.activity_type = CALL_TOOL

    async def attempt(
        self,
        given: Envelope,
        *,
        heartbeat_s: float | None = None,
        left_s: float | None = None,
        environment: ActivityEnvironment | None = None,
        temporal_run: str = "temporal-1",
    ) -> Receipt:
        """Make the next attempt; `left_s` is what its step's time leaves it."""
        self.number += 1
        made = environment or ActivityEnvironment()
        whole = timedelta(seconds=left_s) + MARGIN if left_s is not None else None
        made.info = dataclasses.replace(
            made.info,
            activity_type=self.activity_type,
            attempt=self.number,
            heartbeat_timeout=timedelta(seconds=heartbeat_s) if heartbeat_s else None,
            schedule_to_close_timeout=whole,
            workflow_run_id=temporal_run,
        )
        made.on_heartbeat = self._beat
        order = ExecuteActivityInput(fn=self.attempt, args=[given], executor=None, headers={})

        async def run() -> Receipt:
            return cast("Receipt", await self._chain.execute_activity(order))

        return await made.run(run)

    def _beat(self, *_details: object) -> None:
        self.heartbeats += 1

    async def kinds(self) -> list[str]:
        """Return the ledger's kinds, verified."""
        verdict = await self.fake.verification()
        assert verdict.ok, verdict.broken
        return [entry.kind for entry in await self.fake.entries()]


def details(error: ApplicationError) -> FailureDetails:
    """Return what a failure tells the workflow."""
    return FailureDetails.model_validate(error.details[0])


async def passed(seconds: float) -> None:
    """Let real time pass: leases and deadlines run on it."""
    await asyncio.sleep(seconds)


async def refused(attempts: Attempts, given: Envelope, **how: object) -> ApplicationError:
    """Make an attempt that shall fail, and return its error."""
    with pytest.raises(ApplicationError) as caught:
        await attempts.attempt(given, **how)  # pyright: ignore[reportArgumentType] - attempt's own keywords
    return caught.value
