"""What a run asks the world about without changing it: activities without facts: a lost one has done nothing. Deterministic."""

import contextlib

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.listeners import ListenerActivities
from activities.options import CHECK_AT_HAND, CHECK_OPTIONS, FLUSH_OPTIONS
from activities.requests import RESOLVE_CALENDAR, CompletionRequest, DecisionRequest, ListenerRequest
from activities.run_records import RunRecordActivities
from domain.envelope import Receipt
from workflows.couriers import Courier, brief

AT_HAND = "decided-at-hand"
"""Patch: a run of before has each decision checked by a regular activity, and the approval closed before its bound call begins."""


class Enquiries:
    """Asks for one run."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    async def check_decision(self, request: DecisionRequest, step: str) -> Receipt:
        """Ask the live world whether this reviewer may decide: within this workflow task if that is quick. Raises: ActivityError.

        It only reads and carries no facts, so that one whose workflow task is lost has done nothing (JOURNAL §1.1).
        """
        envelope = self._courier.envelope(request.model_dump(mode="json"), step=step, deadline_s=15, project=[]).without_facts()
        check, summary = RunRecordActivities.check_decision, brief(f"{step}: may the reviewer decide?")
        if workflow.patched(AT_HAND):
            with contextlib.suppress(FailureError):  # it was not quick, or PostgreSQL is away: a regular activity waits for it
                return await workflow.execute_local_activity_method(check, envelope, summary=summary, **CHECK_AT_HAND)
        return await workflow.execute_activity_method(check, envelope, summary=summary, **CHECK_OPTIONS)

    async def resolve_calendar(self, step: str, calendar: str, since: str, offsets_s: list[float]) -> Receipt:
        """Ask at which instants so much working time has passed. Raises: ActivityError."""
        request: dict[str, JsonValue] = {"calendar": calendar, "from": since, "offsets_s": list(offsets_s)}
        envelope = self._courier.envelope(request, step=step, deadline_s=15, project=[]).without_facts()
        return await workflow.execute_activity(
            RESOLVE_CALENDAR, envelope, result_type=Receipt, summary=brief(f"{step}: working time of {calendar}"), **FLUSH_OPTIONS
        )

    async def check_completion(self, request: CompletionRequest, step: str) -> Receipt:
        """Ask whether the gateway attested an answer; it waits as long as a flush does, for the gateway sends an answer once."""
        envelope = self._courier.envelope(request.model_dump(mode="json"), step=step, deadline_s=15, project=[]).without_facts()
        return await workflow.execute_activity_method(
            RunRecordActivities.check_completion, envelope, summary=brief(f"{step}: did the answer come by the gateway?"), **FLUSH_OPTIONS
        )

    async def keep_listener(self, request: ListenerRequest, step: str) -> None:
        """Open or close the row by which a signal finds a listening step. Raises: ActivityError."""
        asked = request.model_copy(update={"fact_seq": self._courier.fact_seq})
        envelope = self._courier.envelope(
            asked.model_dump(mode="json"), step=step, visit=request.visit, deadline_s=15, project=[]
        ).without_facts()
        said = "listen" if request.opened else "listen no more"
        await workflow.execute_activity_method(
            ListenerActivities.keep_listener, envelope, summary=brief(f"{step}: {said}"), **FLUSH_OPTIONS
        )
