"""The tool calls of an agent's turn: which are made, which wait for a person, and what the model is told instead. Pure.

Policy has decided each call beside the model's reply. `require_approval` asks people about exactly this call: the turn goes on when they
have decided, and each other call of the turn goes its own way meanwhile. A call that is not made is told to the model as not done. A reply
of before there were policies carries no verdicts: its calls that change the world are refused, as they were then.
"""

from typing import Final, cast

from pydantic import JsonValue

from domain.agent_questions import HUMAN_ASK, TOO_LARGE, ask_person
from domain.approval import BoundCall, OpenApproval, approval_digest
from domain.approval_rules import ApprovalRules, Moment, ReviewerGroup, Reviewers
from domain.decision_facts import note_decision
from domain.labels import Label, leaves, merged, untrusted
from domain.large_arguments import LargeArguments
from domain.ledger import Kind
from domain.policy import PolicyVerdict
from domain.policy_input import AgentInput, CallInput, GuardedTool
from domain.program import AgentStep, PinnedTool
from domain.provenance import ArgumentOrigin, Origin
from domain.recorder import Recorder
from domain.state import AgentCall, AgentState, ArgumentsFrom, AskApproval, CallTool, Decided
from domain.visible_text import visible_lines

NOT_DONE: Final = "It was not done."
ORIGINS_MAX: Final = 200
"""Most arguments that are told apart in an approval."""


class AgentCalls:
    """The calls of one agent step's running turn."""

    def __init__(self, step: AgentStep, recorder: Recorder, agent: AgentState) -> None:
        self.step = step
        self.recorder = recorder
        self.agent = agent

    def begin(self, calls: list[dict[str, JsonValue]]) -> None:
        """Ask for each call of a reply what its verdict allows."""
        self.agent.calls = []
        for place, asked in enumerate(calls):
            call = AgentCall(index=place, vendor_id=str(asked["vendor_id"]), tool=str(asked["name"]))
            self.agent.calls.append(call)
            verdict = None if asked.get("verdict") is None else PolicyVerdict.model_validate(asked["verdict"])
            refused = self._refusal(call.tool, asked, verdict)
            if refused is not None:
                self._refuse(call, refused, verdict)
                continue
            call.steered = verdict.steered if verdict is not None else []
            tool = self.recorder.program.tools[call.tool]
            arguments = cast("dict[str, JsonValue] | None", asked.get("arguments"))
            if verdict is not None and verdict.effect == "require_approval":
                self.recorder.command(self._question(call, tool, self._bound(call, tool, asked), verdict))
            elif tool.name == HUMAN_ASK:
                self.recorder.command(ask_person(self.recorder, self.step, call=self._name(call), arguments=arguments or {}))
            else:
                self.recorder.command(self._command(call, tool, arguments))

    def decided(self, command: AskApproval, outcome: Decided) -> None:
        """Take what people decided about a call: it runs with the approved arguments, or the model is told that it was not done."""
        approval = command.approval
        call = next(call for call in self.agent.calls if self._name(call) == approval.call)
        note_decision(self.recorder, self.step.path, approval, outcome, then="reject")
        if outcome.verdict == "approve":
            [bound] = approval.calls
            approved = bound.arguments
            if approval.amended_by is not None:
                call.note = "A person changed the arguments of this call before it was made."
            tool = self.recorder.program.tools[call.tool]
            if tool.name == HUMAN_ASK:
                self.recorder.command(ask_person(self.recorder, self.step, call=self._name(call), arguments=approved))
                return
            self.recorder.command(self._command(call, tool, None if bound.large is not None else approved, approval=approval.approval))
            return
        said = f" They said: {outcome.comment}" if outcome.comment else ""
        why = {"reject": f"a person rejected this call.{said}", "timed_out": "nobody approved this call in time."}
        call.error, call.open = f"{why.get(outcome.verdict, 'the question about this call was withdrawn.')} {NOT_DONE}", False

    def _refusal(self, name: str, asked: dict[str, JsonValue], verdict: PolicyVerdict | None) -> str | None:
        if name not in self.step.tools:
            return f"there is no tool {name!r} here; the tools are {', '.join(self.step.tools) or 'none'}"
        if asked.get("problem"):
            return f"the call was refused: {asked['problem']}"
        if name == HUMAN_ASK and asked.get("arguments") is None:
            return TOO_LARGE
        if verdict is None:
            changes = self.recorder.program.tools[name].effect_class.changes_world
            return f"the call was denied: {name} changes the world, and an agent may not call it without an approval" if changes else None
        if verdict.effect == "deny":
            return f"the call of {name} was denied by policy: {verdict.reason}. {NOT_DONE}"
        if verdict.effect == "require_approval" and asked.get("arguments") is None and asked.get("large") is None:
            return (  # a reply of before such arguments travelled by reference
                f"a person has to approve this call of {name}, and its arguments are too large to be shown to one. {NOT_DONE} Shorten them."
            )
        return None

    def _refuse(self, call: AgentCall, told: str, verdict: PolicyVerdict | None) -> None:
        call.error, call.open = told, False
        data: dict[str, JsonValue] = {"tool": call.tool[:100]}
        if self.step.pin is not None:
            data["registered"] = self.step.pin.name
        if verdict is not None and verdict.effect != "allow":
            data |= {"verdict": verdict.effect, "policy": verdict.policy_sha256, "by": cast("list[JsonValue]", verdict.policies[:5])}
        self.recorder.fact(Kind.TOOL_REFUSED, step=self.step.path, call=self._name(call), data=data)

    def _name(self, call: AgentCall) -> str:
        return f"{self.agent.turn}.{call.index}"

    def _command(
        self, call: AgentCall, tool: PinnedTool, arguments: dict[str, JsonValue] | None, *, approval: str | None = None
    ) -> CallTool:
        """The call of a tool; arguments that are None lie with the model's reply."""
        path, name = self.step.path, self._name(call)
        behind = merged(["model"], self.agent.taint)
        simulate = self.recorder.state.simulation is not None and tool.effect_class.changes_world
        return CallTool(
            id=self.recorder.command_id(path, name),
            step=path,
            visit=self.recorder.state.steps[path].visit,
            call=name,
            tool=tool.name,
            version=tool.version,
            arguments=arguments or {},
            arguments_from=ArgumentsFrom(ref=self.agent.reply_ref or "", index=call.index) if arguments is None else None,
            effect_class=tool.effect_class,
            retry_class=tool.retry_class,
            timeout_s=tool.timeout_s,
            heartbeat_s=tool.heartbeat_s,
            max_attempts=tool.max_attempts,
            cost_usd_micros=tool.cost_usd_micros,
            retry=self.step.retry,
            deadline=self.recorder.state.steps[path].deadline,
            approval=approval,
            declaration=tool.declaration,
            simulate=simulate,
            summary=f"{path}: {tool.name} (turn {self.agent.turn})",
            agent=f"{self.recorder.program.name}/{path}",
            policy=CallInput(
                definition=self.recorder.program.name,
                origin="agent",
                kind=tool.kind,
                sensitive=list(call.steered),
                labels=dict.fromkeys(call.steered, behind),
                taint=behind,
                registered=registered_name(self.step),
            ),
        )

    def _bound(self, call: AgentCall, tool: PinnedTool, asked: dict[str, JsonValue]) -> BoundCall:
        """The call as people approve it; large arguments lie with the reply, and are bound by their digest."""
        path, large = self.step.path, cast("dict[str, JsonValue] | None", asked.get("large"))
        if large is None:
            arguments = cast("dict[str, JsonValue] | None", asked.get("arguments"))
            return BoundCall(step=path, tool=tool.name, version=tool.version, arguments=arguments or {})
        known = {name: value for name, value in large.items() if name != "shown"}
        bound = LargeArguments.model_validate({**known, "ref": self.agent.reply_ref or "", "index": call.index})
        shown = cast("dict[str, JsonValue]", large["shown"])
        return BoundCall(step=path, tool=tool.name, version=tool.version, arguments=shown, large=bound)

    def _question(self, call: AgentCall, tool: PinnedTool, bound: BoundCall, verdict: PolicyVerdict) -> AskApproval:
        path, name, run = self.step.path, self._name(call), self.recorder.run
        record = self.recorder.state.steps[path]
        calls = [bound]
        approval, nonce = self.recorder.new_id("apr", f"{path}/{name}"), self.recorder.nonce(f"{path}/{name}")
        digest = approval_digest(tenant=run.tenant, run=run.run, approval=approval, step=path, visit=record.visit, nonce=nonce, calls=calls)
        roles = verdict.reviewers
        opened = OpenApproval(
            approval=approval,
            step=path,
            visit=record.visit,
            title=visible_lines(f"May the agent {path} call {tool.name}? {verdict.reason}{_cut_note(bound, approval)}"),
            digest=digest,
            nonce=nonce,
            calls=calls,
            reviewer_role=roles[0],
            exclude_requester=True,
            requester=run.principal,
            opened_at=self.recorder.tick.now,
            deadline=record.deadline,
            rules=_of_any(roles, record.deadline) if len(roles) > 1 else None,
            call=name,
        )
        self.recorder.fact(
            Kind.APPROVAL_OPENED,
            step=path,
            call=name,
            data={
                "approval": approval,
                "digest": digest,
                "role": roles[0],
                "deadline": record.deadline,
                "unbound": [],
                "policy": verdict.policy_sha256,
                **({"roles": cast("list[JsonValue]", list(roles))} if len(roles) > 1 else {}),
            },
        )
        return AskApproval(
            id=self.recorder.command_id(path, f"{name}.approval"),
            step=path,
            visit=record.visit,
            approval=opened,
            provenance=self._provenance(bound.arguments, verdict),
            conversation=f"{path}#{record.visit}",
            answer_ref=self.agent.reply_ref,
            summary=f"{path}: approve {tool.name}",
        )

    def _provenance(self, arguments: dict[str, JsonValue], verdict: PolicyVerdict) -> list[ArgumentOrigin]:
        """Where each argument of a call comes from: the model, and what may have chosen those that policy guards."""
        behind = merged(["model"], self.agent.taint)
        found: list[ArgumentOrigin] = []
        for name, _ in list(leaves(arguments))[:ORIGINS_MAX]:
            steered = any(name == each or name.startswith(f"{each}.") for each in verdict.steered)
            labels: list[Label] = behind if steered else [label for label in behind if not untrusted([label])]
            origin = Origin(source="model", step=self.step.path)
            found.append(ArgumentOrigin(step=self.step.path, argument=name, origins=[origin], computed=True, labels=labels))
        return found


def _cut_note(bound: BoundCall, approval: str) -> str:
    """What a title says of arguments that are not shown whole, and where they are."""
    if bound.large is None:
        return ""
    return f" (Its arguments of {bound.large.bytes} bytes are shown cut; whole: `standfast approvals show {approval}`.)"


def policy_of(recorder: Recorder, step: AgentStep, agent: AgentState) -> AgentInput:
    """Return what policy needs to know of a conversation to decide the calls of the next reply. Raises: ExpressionFailed."""
    tools = {name: recorder.program.tools[name] for name in step.tools}
    guarded = {
        name: GuardedTool(version=tool.version, kind=tool.kind, effect_class=tool.effect_class, sensitive=tool.guarded)
        for name, tool in tools.items()
    }
    copies = any(tool.guarded for tool in tools.values()) and untrusted(agent.taint)
    trusted = recorder.labels.trusted(step.input, recorder.render(step.input)) if copies else []
    return AgentInput(definition=recorder.program.name, tools=guarded, taint=agent.taint, trusted=trusted, registered=registered_name(step))


def registered_name(step: AgentStep) -> str | None:
    """Return the name of the registered agent that a step is, None of one that a definition says itself."""
    return step.pin.name if step.pin is not None else None


def _of_any(roles: list[str], deadline: str | None) -> ApprovalRules:
    """The rules of a question that a person with any of several roles may decide."""
    groups = [ReviewerGroup(role=role) for role in roles]
    deadlines = [] if deadline is None else [Moment(after_s=0, at=deadline)]
    return ApprovalRules(reviewers=Reviewers(groups=groups, combine="any"), deadlines=deadlines)
