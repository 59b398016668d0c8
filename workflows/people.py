"""Waiting for reviewers: open approvals and decisions of one run; its human tasks are in `tasks.py`. Deterministic."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.requests import DecisionRequest
from domain.approval import Decision, OpenApproval, TakenDecision
from domain.decision_rules import refusal
from domain.errors import Forbidden
from domain.runs import ApprovalClosure, ApprovalProjection, Projection, RunStatus
from domain.state import AskApproval, Decided
from workflows.couriers import Courier, brief, now_text
from workflows.messages import DecisionResult
from workflows.refusals import demand, refuse
from workflows.tasks import Tasks


class People:
    """The questions of one run; `taken` are its decisions, carried over continue-as-new, `approvals` those of this epoch."""

    def __init__(self, courier: Courier, taken: list[TakenDecision]) -> None:
        self._courier = courier
        self._taken = taken
        self.approvals: dict[str, OpenApproval] = {}
        self._written: set[str] = set()
        self.cancelled = False
        self.tasks = Tasks(courier, resting=self._resting, cancelled=lambda: self.cancelled)

    def check(self, decision: Decision) -> None:
        """The update's validator: refuse from state alone, leaving no history.

        Raises:
            ApplicationError: with the code of the refusal as its type.
        """
        if self._known(decision) is not None:
            return
        refused = refusal(self.approvals.get(decision.approval), decision)
        if refused is not None:
            refuse(refused)

    async def decide(self, decision: Decision) -> DecisionResult:
        """Take a decision after the live check; answers when the inbox shows it.

        Raises:
            ApplicationError: with the code of the refusal as its type.
        """
        taken = self._known(decision) or await self._take(self.approvals[decision.approval], decision)
        await workflow.wait_condition(lambda: taken.approval in self._written or taken.approval not in self.approvals)
        return DecisionResult(approval=taken.approval, decision=taken.verdict, decided_by=taken.principal, decided_at=taken.decided_at)

    def _known(self, decision: Decision) -> TakenDecision | None:
        return next((taken for taken in self._taken if taken.decision_id == decision.decision_id), None)

    def _decided(self, approval: OpenApproval) -> TakenDecision | None:
        return next((taken for taken in self._taken if taken.approval == approval.approval), None)

    async def _take(self, approval: OpenApproval, decision: Decision) -> TakenDecision:
        request = DecisionRequest(
            decision=decision,
            reviewer_role=approval.reviewer_role,
            exclude_requester=approval.exclude_requester,
            requester=approval.requester,
        )
        try:
            live = await self._courier.check_decision(request, approval.step)
        except ActivityError:
            refuse(Forbidden("the reviewer's roles could not be checked: send the decision again under another id"))  # final, unlike 503
        demand(live)
        twin = self._known(decision)  # the same decision may have come by update and by signal
        if twin is not None:
            return twin
        again = refusal(approval, decision)
        if again is not None:
            refuse(again)
        approval.decision, approval.decision_id = decision.verdict, decision.decision_id
        taken = TakenDecision(**decision.model_dump(exclude={"digest", "attestation"}), decided_at=now_text())
        self._taken.append(taken)
        return taken

    async def ask(self, command: AskApproval) -> Decided:
        """Open the approval in the inbox and wait for a decision, its deadline, or the run's cancellation."""
        approval = command.approval
        self.approvals[approval.approval] = approval
        row = ApprovalProjection(**approval.model_dump(mode="json", exclude={"decision", "decision_id"}), unbound=command.unbound)
        waiting = self._resting(RunStatus.RUNNING).model_copy(update={"open_approval": row})
        await self._courier.flush(waiting, f"{command.summary}: ask {approval.reviewer_role}")
        try:
            await workflow.wait_condition(
                lambda: approval.decision is not None or self.cancelled,
                timeout=time_left(approval.deadline),
                timeout_summary=brief(f"{command.summary}: deadline of the approval"),
            )
        except TimeoutError:
            approval.decision = approval.decision or "timed_out"
        taken = self._decided(approval)
        if taken is None:
            approval.decision = "timed_out" if approval.decision == "timed_out" else "withdrawn"
            return Decided(command=command.id, verdict="timed_out")
        return Decided(
            command=command.id, verdict=taken.verdict, decision_id=taken.decision_id, decided_by=taken.principal, comment=taken.comment
        )

    async def write_decision(self, approval: OpenApproval) -> None:
        """Close the approval in the inbox, with the facts about it."""
        taken = self._decided(approval)
        closure = ApprovalClosure(
            approval=approval.approval,
            decision=approval.decision or "withdrawn",
            decision_id=taken.decision_id if taken else None,
            decided_by=taken.principal if taken else None,
            comment=taken.comment if taken else None,
            decided_at=now_text(),
        )
        resting = self._resting(RunStatus.RUNNING).model_copy(update={"close_approval": closure})
        await self._courier.flush(resting, f"{approval.step}: {closure.decision}")
        self._written.add(approval.approval)

    def _resting(self, status: RunStatus) -> Projection:
        """Say what the run waits for now: a doubt that is still open, else an open approval, else nothing, being `status`."""
        doubt = self.tasks.waiting()
        if doubt is not None:
            return doubt
        for approval in self.approvals.values():
            if approval.decision is None:
                return Projection(status=RunStatus.WAITING, waits_for=f"{approval.step}: a decision by {approval.reviewer_role}")
        return Projection(status=status)


def time_left(deadline: str | None) -> timedelta | None:
    """The time until a deadline, never negative; None for none."""
    if deadline is None:
        return None
    return max(datetime.fromisoformat(deadline) - workflow.now(), timedelta())


def shown(claimed: str) -> str:
    """Return an id that a raw signal claims, cut to what a fact can hold: anybody may have written it."""
    return "".join(letter for letter in claimed[:64] if letter.isascii() and letter.isprintable())
