"""Opens the runs of hand-written workflows: their row, their tools and agents. Deterministic."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.code_runs import OPEN_RUN, OpenRunRequest
from activities.options import FLUSH_OPTIONS
from domain.envelope import Receipt
from domain.state import Failure
from workflows.couriers import Courier, brief
from workflows.failures import failure_of


class OpeningCourier(Courier):
    """The courier, which also opens the run."""

    async def open(self, request: OpenRunRequest) -> Receipt:
        """Open the run.

        Raises:
            failure_error: an ApplicationError: a tool or an agent is not there, or may not be used.
        """
        envelope = self.envelope(request.model_dump(mode="json"), deadline_s=30, project=[])
        handle: workflow.ActivityHandle[Receipt] = workflow.start_activity(
            OPEN_RUN, envelope, result_type=Receipt, summary=brief("open the run"), **FLUSH_OPTIONS
        )
        try:
            receipt = await handle
        except ActivityError as error:
            raise failure_error(failure_of(error, "")) from error
        self.acknowledge(receipt.fact_head)
        return receipt


def failure_error(failure: Failure) -> ApplicationError:
    """Return the exception of a step that failed."""
    return ApplicationError(failure.detail, type=failure.code, non_retryable=True)
