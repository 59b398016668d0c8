"""A cancellation that comes while the outcome is being recorded: what is known of the effect is not lost."""

import asyncio

import pytest
from temporalio.testing import ActivityEnvironment

from domain.effects import EffectState, Outcome, OutcomeVerdict, RetryClass
from domain.envelope import Envelope, Receipt
from domain.errors import StandfastError, ToolFailed, ToolTimedOut
from tests.activities.bench import KEY, RUN, TENANT, Attempts, envelope, paying, refused
from tests.fake_journal import FakeJournal


class SlowJournal(FakeJournal):
    """A journal whose database takes an outcome only when the test lets it; `offered` tells that one is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.offered, self.opened = asyncio.Event(), asyncio.Event()

    async def outcome(self, outcome: Outcome) -> OutcomeVerdict:
        """Record it, when the test lets it."""
        self.offered.set()
        await self.opened.wait()
        return await super().outcome(outcome)


async def cancel_while_offered(journal: SlowJournal, environment: ActivityEnvironment) -> None:
    """Cancel the attempt when its outcome is on its way, and let the outcome arrive only after that."""
    await journal.offered.wait()
    environment.cancel()
    await asyncio.sleep(0)  # the loop's next turn: the cancellation has reached the attempt
    journal.opened.set()


class TestCancellationWhileTheOutcomeIsRecorded:
    async def test_of_a_success_loses_nothing_and_the_attempt_succeeds(self) -> None:
        journal, environment = SlowJournal.with_run(TENANT, RUN), ActivityEnvironment()
        pay, calls = paying({"id": "p1"})
        running = asyncio.create_task(Attempts(pay, journal=journal).attempt(envelope(project=["id"]), environment=environment))
        await cancel_while_offered(journal, environment)
        assert (await running).fields == {"id": "p1"}
        assert (journal.effects[KEY].state, len(calls)) == (EffectState.DONE, 1)

    @pytest.mark.parametrize(
        ("error", "retry_class", "code", "state"),
        [
            (ToolFailed("no such account"), RetryClass.IDEMPOTENT, "tool-failed", EffectState.FAILED),
            (ToolTimedOut("no answer"), RetryClass.AT_MOST_ONCE, "effect-in-doubt", EffectState.IN_DOUBT),
        ],
    )
    async def test_of_a_failure_tells_the_failure(
        self, error: StandfastError, retry_class: RetryClass, code: str, state: EffectState
    ) -> None:
        async def pay(_given: Envelope) -> Receipt:
            raise error

        journal, environment = SlowJournal.with_run(TENANT, RUN), ActivityEnvironment()
        attempts = Attempts(pay, journal=journal)
        running = asyncio.create_task(refused(attempts, envelope(retry_class=retry_class), environment=environment))
        await cancel_while_offered(journal, environment)
        assert (await running).type == code
        assert journal.effects[KEY].state is state
