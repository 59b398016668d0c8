"""Waiting for reviewers: open approvals and decisions of one run; its human tasks are in `tasks.py`. Deterministic.

An approval's timeline is pure (`domain/approval_timeline.py`). What waits here sleeps until its next instant or the next decision, writes
what has become of it into the inbox, and sleeps again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import ActivityError

from domain.agent_answers import agent_name
from domain.approval import Decision, OpenApproval, TakenDecision, amended
from domain.approval_rules import ReviewEvent, instant_text, placed
from domain.approval_timeline import Standing, standing_of
from domain.decision_rules import refusal
from domain.envelope import Receipt
from domain.errors import Forbidden
from domain.ledger import Kind
from domain.runs import ApprovalClosure, ApprovalProjection, Projection, RunStatus
from domain.state import AskApproval, Decided, Failed
from workflows.couriers import Courier, brief, now_text
from workflows.enquiries import Enquiries
from workflows.failures import failure_of
from workflows.informing import AgentAnswer, Informants
from workflows.live_checks import decision_request
from workflows.messages import DecisionResult
from workflows.refusals import demand, refuse
from workflows.tasks import Note, Tasks

NOTED = {
    "approve": Kind.APPROVAL_VOTED,
    "reject": Kind.APPROVAL_VOTED,
    "amend": Kind.APPROVAL_AMENDED,
    "request_info": Kind.APPROVAL_INFO_REQUESTED,
    "give_info": Kind.APPROVAL_INFO_GIVEN,
    "extend": Kind.APPROVAL_EXTENDED,
    "delegate": Kind.APPROVAL_DELEGATED,
    "withdraw": Kind.APPROVAL_WITHDRAWN,
}
"""The fact of a decision that is taken; a vote that ends the approval is told as `human:approval:decided` by the stepper."""


@dataclass
class _Question:
    """An approval that is asked: the reminders and rungs that were told, and the revision that the inbox has.

    `put` is the last question of a reviewer that was looked at for the agent, `informing` the agent's answer while it is on its way.
    """

    command: AskApproval
    reminders: int = 0
    rungs: int = 0
    written: int = -1
    put: str | None = None
    informing: AgentAnswer | None = None

    @property
    def approval(self) -> OpenApproval:
        return self.command.approval

    @property
    def informed(self) -> bool:
        """Whether the agent's answer is here, and not yet taken."""
        return self.informing is not None and self.informing.here


class People:
    """The questions of one run; `taken` are its decisions, carried over continue-as-new, `approvals` those of this epoch."""

    def __init__(self, courier: Courier, taken: list[TakenDecision], note: Note, informants: Informants | None = None) -> None:
        self._courier = courier
        self.enquiries = Enquiries(courier)
        self._informants = informants
        self._taken = taken
        self._note = note
        self.approvals: dict[str, OpenApproval] = {}
        self._questions: dict[str, _Question] = {}
        self._seen_in: dict[str, int] = {}  # by decision: the revision that shows it
        self._written: set[str] = set()
        self.cancelled = False
        self.tasks = Tasks(courier, resting=self._resting, cancelled=lambda: self.cancelled, note=note)

    def check(self, decision: Decision) -> None:
        """The update's validator: refuse from state alone, leaving no history.

        Raises:
            ApplicationError: with the code of the refusal as its type.
        """
        if self._known(decision) is not None:
            return
        question = self._questions.get(decision.approval)
        unbound = question.command.unbound if question else None
        refused = refusal(question.approval if question else None, decision, unbound=unbound, now=now_text())
        if refused is not None:
            refuse(refused)

    async def decide(self, decision: Decision) -> DecisionResult:
        """Take a decision after the live check; answers when the inbox shows it.

        Raises:
            ApplicationError: with the code of the refusal as its type.
        """
        taken = self._known(decision) or await self._take(self._questions[decision.approval], decision)
        await workflow.wait_condition(lambda: self._is_shown(taken))
        told = {"decision": taken.verdict, "decided_by": taken.principal, "decided_at": taken.decided_at, "ending": taken.ending}
        return DecisionResult.model_validate({"approval": taken.approval, **told})

    def _is_shown(self, taken: TakenDecision) -> bool:
        question = self._questions.get(taken.approval)
        if question is None or taken.approval in self._written:
            return True
        return question.approval.decision is None and question.written >= self._seen_in[taken.decision_id]

    def _known(self, decision: Decision) -> TakenDecision | None:
        return next((taken for taken in self._taken if taken.decision_id == decision.decision_id), None)

    def _decided(self, approval: OpenApproval) -> TakenDecision | None:
        return next((taken for taken in self._taken if taken.decision_id == approval.decision_id), None)

    async def _take(self, question: _Question, decision: Decision) -> TakenDecision:
        began, approval = now_text(), question.approval
        request = decision_request(question.command, decision, standing_of(approval.asks, approval.events, began), self._courier.tools)
        try:
            live = await self.enquiries.check_decision(request, approval.step)
        except ActivityError:
            refuse(Forbidden("the reviewer's roles could not be checked: send the decision again under another id"))  # final, unlike 503
        demand(live)
        twin = self._known(decision)  # the same decision may have come by update and by signal
        if twin is not None:
            return twin
        again = refusal(approval, decision, unbound=question.command.unbound)
        if again is not None:
            refuse(again)
        self._apply(approval, decision, _event(decision, live, approval, at=began))
        said = decision.model_dump(exclude={"digest", "attestation", "content"})
        taken = TakenDecision(**said, decided_at=now_text(), ending=approval.decision)
        self._taken.append(taken)
        self._seen_in[decision.decision_id] = approval.revision
        return taken

    def _apply(self, approval: OpenApproval, decision: Decision, event: ReviewEvent) -> None:
        """Let a decision count, in place: the stepper holds the same approval."""
        said: dict[str, JsonValue] = {"approval": approval.approval, "decision": decision.decision_id, "digest": approval.digest}
        if decision.verdict == "amend":
            new = amended(approval, decision, tenant=self._courier.tenant, run=self._courier.run)
            approval.calls, approval.nonce, approval.digest, approval.amended_by = new.calls, new.nonce, new.digest, new.amended_by
            said["new_digest"] = approval.digest
        approval.events.append(event)
        approval.revision += 1
        standing = standing_of(approval.asks, approval.events, event.at)
        if standing.ending is not None:
            approval.decision, approval.decision_id = standing.ending, standing.decision_id
        if standing.ending is None or decision.verdict == "withdraw":
            said |= {"verdict": event.verdict} if NOTED[event.verdict] is Kind.APPROVAL_VOTED else {}
            extra = {"acting_for": event.acting_for, "deadline": event.deadline, "to": event.to, "starts": event.starts, "ends": event.ends}
            said |= {name: value for name, value in extra.items() if value is not None}
            self._note(NOTED[event.verdict], step=approval.step, principal=event.principal, said=said)

    async def ask(self, command: AskApproval) -> Decided | Failed:
        """Open the approval in the inbox and wait for its end: by decisions, by its deadline, or by the run's cancellation."""
        approval, question = command.approval, _Question(command)
        try:
            await self._place(approval)
        except ActivityError as error:
            return Failed(command=command.id, failure=failure_of(error, command.step))
        self.approvals[approval.approval], self._questions[approval.approval] = approval, question
        await self._write(question, f"{command.summary}: ask {approval.reviewer_role}")
        passed: str | None = None
        while approval.decision is None and not self.cancelled:
            standing = self._informed(question, self._told(question, passed))
            if approval.decision is None and approval.revision > question.written:
                await self._write(question, f"{command.step}: the approval has changed")
            elif approval.decision is None:
                passed = await self._wait(question, standing)
        if question.informing is not None:
            question.informing.call_off()
        taken = self._decided(approval)
        if taken is None:
            approval.decision = "timed_out" if approval.decision == "timed_out" else "withdrawn"
            return Decided(command=command.id, verdict="timed_out")
        told = {"decision_id": taken.decision_id, "decided_by": taken.principal, "comment": taken.comment}
        return Decided.model_validate({"command": command.id, "verdict": approval.decision, **told})

    async def _place(self, approval: OpenApproval) -> None:
        """Ask the calendar when the moments are, where the rules count working time. Raises: ActivityError."""
        rules = approval.rules
        if rules is None or rules.calendar is None or all(moment.at for moment in rules.moments()):
            return
        offsets = [moment.after_s for moment in rules.moments()]
        receipt = await self.enquiries.resolve_calendar(approval.step, rules.calendar, approval.opened_at, offsets)
        instants = receipt.fields["instants"]
        approval.rules = placed(rules, [str(instant) for instant in instants] if isinstance(instants, list) else [])
        approval.deadline = standing_of(approval.rules, [], approval.opened_at).deadline

    def _told(self, question: _Question, passed: str | None) -> Standing:
        """Note what time has brought about: reminders, rungs of the ladder, the end. `passed` is an instant whose timer has been heard."""
        approval = question.approval
        now = now_text() if passed is None else max(now_text(), passed, key=datetime.fromisoformat)
        if passed is None and approval.rules is None and not approval.events:
            return standing_of(approval.asks, [], approval.opened_at)  # its timer says so, as before there were rules
        standing = standing_of(approval.asks, approval.events, now)
        for count in range(question.reminders, standing.reminders):
            self._tell(approval, Kind.APPROVAL_REMINDED, {"reminder": count + 1, "roles": [group.role for group in standing.groups]})
        for count in range(question.rungs, standing.rungs):
            told: dict[str, JsonValue] = {"rung": count + 1, "roles": [g.role for g in standing.groups if g.rung == count + 1]}
            self._tell(approval, Kind.APPROVAL_ESCALATED, told)
        question.reminders, question.rungs = max(question.reminders, standing.reminders), max(question.rungs, standing.rungs)
        if standing.ending is not None:
            approval.decision, approval.decision_id = standing.ending, standing.decision_id
        return standing

    def _informed(self, question: _Question, standing: Standing) -> Standing:
        """Put a reviewer's question to the agent behind the approval, and take the answer that has come."""
        approval, answer, asked = question.approval, question.informing, standing.waits_for_info
        if answer is not None and answer.here:
            text, question.informing = answer.text(), None
            if text is not None and asked is not None and asked == question.put:
                name, at = agent_name(question.command), now_text()
                approval.events.append(ReviewEvent(verdict="give_info", at=at, decision_id=f"{asked}/agent", principal=name, comment=text))
                said: dict[str, JsonValue] = {"approval": approval.approval, "digest": approval.digest, "question": asked}
                approval.revision += 1
                self._note(Kind.APPROVAL_ANSWERED, step=approval.step, principal=name, said=said)
                return standing_of(approval.asks, approval.events, at)
        if self._informants is not None and approval.decision is None and asked is not None and asked != question.put:
            question.put, question.informing = asked, self._informants.put(question.command)
        return standing

    def _tell(self, approval: OpenApproval, kind: Kind, said: dict[str, JsonValue]) -> None:
        approval.revision += 1
        self._note(kind, step=approval.step, principal=None, said={"approval": approval.approval, "digest": approval.digest, **said})

    async def _wait(self, question: _Question, standing: Standing) -> str | None:
        """Sleep until a decision changes the approval, or its next instant; return the instant if that came first."""
        approval = question.approval
        try:
            await workflow.wait_condition(
                lambda: approval.decision is not None or self.cancelled or approval.revision > question.written or question.informed,
                timeout=time_left(standing.next_at),
                timeout_summary=brief(f"{question.command.summary}: deadline of the approval"),
            )
        except TimeoutError:
            return standing.next_at
        return None

    async def _write(self, question: _Question, summary: str) -> None:
        """Write the approval into the inbox as it is now, with the facts about it."""
        revision, row = question.approval.revision, _row(question.command)
        await self._courier.flush(self._resting(RunStatus.RUNNING).model_copy(update={"open_approval": row}), summary)
        question.written = revision

    async def write_decision(self, command: AskApproval) -> None:
        """Close the approval in the inbox, with the facts about it."""
        approval = command.approval
        taken = self._decided(approval)
        closure = ApprovalClosure(
            approval=approval.approval,
            decision=approval.decision or "withdrawn",
            decision_id=taken.decision_id if taken else None,
            decided_by=taken.principal if taken else None,
            comment=taken.comment if taken else None,
            decided_at=now_text(),
        )
        change = {"close_approval": closure, "open_approval": _row(command) if approval.revision else None}
        resting = self._resting(RunStatus.RUNNING).model_copy(update=change)
        await self._courier.close_approval(approval.approval, resting, f"{approval.step}: {closure.decision}")
        self._written.add(approval.approval)

    def _resting(self, status: RunStatus) -> Projection:
        """Say what the run waits for now: a doubt that is still open, else an open approval, else nothing, being `status`."""
        doubt = self.tasks.waiting()
        if doubt is not None:
            return doubt
        for approval in self.approvals.values():
            if approval.decision is None:
                return Projection(status=RunStatus.WAITING, waits_for=f"{approval.step}: {_waits_for(approval)}")
        return Projection(status=status)


def _waits_for(approval: OpenApproval) -> str:
    if approval.rules is None and not approval.events:
        return f"a decision by {approval.reviewer_role}"
    standing = standing_of(approval.asks, approval.events, now_text())
    if standing.waits_for_info is not None:
        return "an answer to a reviewer's question"
    return f"a decision by {', '.join(dict.fromkeys(group.role for group in standing.groups)) or approval.reviewer_role}"


def _row(command: AskApproval) -> ApprovalProjection:
    """An approval as the inbox shows it."""
    approval = command.approval
    standing = standing_of(approval.asks, approval.events, now_text())
    known = approval.model_dump(mode="json", exclude={"decision", "decision_id", "deadline"})
    delegates = [event.to for event in approval.events if event.verdict == "delegate" and event.to]
    return ApprovalProjection.model_validate(
        {
            **known,
            "unbound": command.unbound,
            "provenance": command.provenance,
            "conversation": command.conversation,
            "answer_ref": command.answer_ref,
            "deadline": standing.deadline,
            "reviewer_roles": list(dict.fromkeys(group.role for group in standing.groups)),
            "delegates": list(dict.fromkeys(delegates)),
            "standing": standing,
        }
    )


def _event(decision: Decision, live: Receipt, approval: OpenApproval, *, at: str) -> ReviewEvent:
    """A decision as the timeline takes it; of a check of before there were several roles, it has the one that was asked."""
    roles, acting_for = live.fields.get("roles", [approval.reviewer_role]), live.fields.get("acting_for")
    said = decision.said
    return ReviewEvent(
        verdict=decision.verdict,
        at=at,
        decision_id=decision.decision_id,
        principal=decision.principal,
        roles=[str(role) for role in roles] if isinstance(roles, list) else [],
        acting_for=None if acting_for is None else str(acting_for),
        comment=decision.comment,
        form=said.form,
        deadline=None if said.deadline is None else instant_text(datetime.fromisoformat(said.deadline).astimezone(UTC)),
        to=said.to,
        starts=said.starts,
        ends=said.ends,
    )


def time_left(deadline: str | None) -> timedelta | None:
    """The time until a deadline, never negative; None for none."""
    if deadline is None:
        return None
    return max(datetime.fromisoformat(deadline) - workflow.now(), timedelta())


def shown(claimed: str) -> str:
    """Return an id that a raw signal claims, cut to what a fact can hold: anybody may have written it."""
    return "".join(letter for letter in claimed[:64] if letter.isascii() and letter.isprintable())
