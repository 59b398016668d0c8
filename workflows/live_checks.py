"""What the live world is asked about a decision: who may decide now, who may lead, what amended calls must fit. Deterministic."""

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from activities.requests import DecisionRequest, FittingCheck
from domain.approval import BoundCall, Decision
from domain.approval_timeline import Standing
from domain.decision_rules import delegators, votes_now
from domain.program import PinnedTool
from domain.state import AskApproval
from workflows.couriers import now_text


def decision_request(command: AskApproval, decision: Decision, standing: Standing, tools: Mapping[str, PinnedTool]) -> DecisionRequest:
    """Return the question to the live world about a decision on an approval that stands so."""
    approval = command.approval
    gave = {who for vote in votes_now(approval) for who in (vote.principal, vote.acting_for) if who is not None}
    return DecisionRequest(
        decision=decision,
        reviewer_role=approval.reviewer_role,
        exclude_requester=approval.exclude_requester,
        requester=approval.requester,
        asked=list(dict.fromkeys(group.role for group in standing.groups)),
        roles=approval.asks.roles(),
        lead_roles=approval.asks.lead_roles(),
        delegators=[who for who in delegators(approval, decision.principal, now_text()) if who not in gave],
        voted=sorted(gave),
        fitting=_fitting(command, decision, tools),
    )


def _fitting(command: AskApproval, decision: Decision, tools: Mapping[str, PinnedTool]) -> list[FittingCheck]:
    """The values that must fit a schema: an answer to the form, or every call as the amendment makes it."""
    approval = command.approval
    if decision.verdict == "approve" and approval.form is not None:
        return [FittingCheck(what="the answer to the form", value=decision.said.form, schema_of_it=approval.form)]
    if decision.verdict != "amend":
        return []
    changes = decision.said.arguments
    return [_amended_call(call, changes[call.step], command, tools) for call in approval.calls if call.step in changes]


def _amended_call(call: BoundCall, change: dict[str, JsonValue], command: AskApproval, tools: Mapping[str, PinnedTool]) -> FittingCheck:
    """An amended call and its tool's schema; what later steps feed is not there yet, so it is not required."""
    schema = dict(tools[call.tool].input_schema) if call.tool in tools else {}
    required, later = schema.get("required"), {name.removeprefix(f"{call.step}.").split(".")[0] for name in command.unbound}
    if isinstance(required, list):
        schema["required"] = cast("JsonValue", [name for name in required if name not in later])
    value: dict[str, JsonValue] = {**call.arguments, **change}
    return FittingCheck(what=f"the amended call {call.step} of {call.tool}", value=value, schema_of_it=schema)
