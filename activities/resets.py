"""Tells an execution that our continue-as-new and redrives did not make what it is: a reset, or an old one that lives on (JOURNAL §2.3)."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import FailureDetails, application_error
from domain.envelope import Envelope
from domain.errors import RunReset, StaleEpoch, StandfastError
from domain.resets import ResetStore


class Execution(NamedTuple):
    """The latest execution of a run as Temporal describes it."""

    temporal_run_id: str
    open: bool


Describe = Callable[[str, str], Awaitable[Execution | None]]
"""Describes the latest execution of (tenant, run); None when Temporal knows none. Raises: Unavailable."""


class ResetWatch:
    """Settles what an unlinked execution is; one describe for each reset, none for a run that is not reset."""

    def __init__(self, *, resets: ResetStore, describe: Describe, clock: Callable[[], str]) -> None:
        self._resets = resets
        self._describe = describe
        self._clock = clock

    async def told(self, envelope: Envelope) -> ApplicationError:
        """Return the failure that tells the execution: reset, with where to go on, or stale; passing if that cannot be known now."""
        own = activity.info().workflow_run_id or ""
        details = FailureDetails(detail="", attempt=activity.info().attempt)
        try:
            point = await self._resets.point(envelope.tenant, envelope.run, temporal_run_id=own)
            if point is None:
                current = await self._describe(envelope.tenant, envelope.run)
                if current is None or not current.open or current.temporal_run_id != own:
                    stale = StaleEpoch("another execution of this run goes on; nothing was done for this one")
                    return application_error(stale, details.model_copy(update={"detail": stale.detail}))
                point = await self._resets.adopt(envelope.tenant, envelope.run, temporal_run_id=own, at=self._clock())
        except StandfastError as error:
            return application_error(error, details.model_copy(update={"detail": error.detail}))
        reset = RunReset(f"the run was reset: it goes on in epoch {point.epoch}")
        return application_error(reset, details.model_copy(update={"detail": reset.detail, "reset": point}))
