"""Hand-written workflows answer reviewers as runs of definitions do, by the same update, signal and query. Deterministic."""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.approval import Decision
from workflows.messages import APPROVE, DECIDE_APPROVAL, RUN_STATE, DecisionResult, RunState
from workflows.people import People


def answer_reviewers(people: People, *, run_state: Callable[[], RunState]) -> None:
    """Take decisions for `people`, and say what the run knows of itself."""

    async def decide(decision: Decision) -> DecisionResult:
        return await people.decide(decision)

    def check(decision: Decision) -> None:
        people.check(decision)

    async def approve(decision: Decision) -> None:
        try:
            people.check(decision)
            await people.decide(decision)
        except ApplicationError:
            return  # nobody waits for the answer to a signal

    workflow.set_update_handler(DECIDE_APPROVAL, decide, validator=check)  # pyright: ignore[reportUnknownMemberType] - the SDK leaves its type argument open
    workflow.set_signal_handler(APPROVE, approve)  # pyright: ignore[reportUnknownMemberType] - as above
    workflow.set_query_handler(RUN_STATE, run_state)  # pyright: ignore[reportUnknownMemberType] - as above
