"""Sagas that no one workflow conducts: each participant does its part, tells the next, and undoes its part when it hears of a failure.

Deterministic. A participant keeps its saga open until it has heard how the whole ended; what it hears comes as the signal `saga_event`,
which counts once however often it is sent.
"""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.errors import StepTimedOut
from domain.model import Wire

SAGA_EVENT = "saga_event"
CALLED_OFF = "saga-called-off"
"""Failure code of a participant that heard that another one failed."""


class SagaEvent(Wire):
    """What one participant tells another; the same `id` is the same event."""

    id: str
    name: str
    payload: JsonValue = None


class SagaEvents:
    """What one participant hears and tells; make it in the workflow's `@workflow.init`, so that no event comes too early."""

    def __init__(self) -> None:
        self._heard: dict[str, SagaEvent] = {}
        workflow.set_signal_handler(SAGA_EVENT, self._hear)  # pyright: ignore[reportUnknownMemberType] - the SDK leaves its type argument open

    def _hear(self, event: SagaEvent) -> None:
        self._heard.setdefault(event.id, event)

    async def tell(self, participant: str, name: str, payload: JsonValue = None) -> None:
        """Tell another participant, by its workflow id.

        Raises:
            ApplicationError: it is not there any more; inside a saga this undoes it.
        """
        event = SagaEvent(id=f"{workflow.info().workflow_id}/{name}", name=name, payload=payload)
        await workflow.get_external_workflow_handle(participant).signal(SAGA_EVENT, event)

    async def hear(self, name: str, *, unless: Sequence[str] = (), within: timedelta | None = None) -> JsonValue:
        """Wait for an event and return its payload.

        Args:
            name: What to wait for.
            unless: Events that say that the whole has failed.
            within: After it the whole counts as failed.

        Raises:
            ApplicationError: one of `unless` came first, or nothing in time; inside a saga this undoes it.
        """
        try:
            await workflow.wait_condition(
                lambda: any(event.name == name or event.name in unless for event in self._heard.values()),
                timeout=within,
                timeout_summary=f"until {name}",
            )
        except TimeoutError as late:
            raise ApplicationError(f"nobody told {name} in time", type=StepTimedOut.code, non_retryable=True) from late
        first = next(event for event in self._heard.values() if event.name == name or event.name in unless)
        if first.name != name:
            raise ApplicationError(f"{first.name} was told by {first.id.rpartition('/')[0]}", type=CALLED_OFF, non_retryable=True)
        return first.payload
