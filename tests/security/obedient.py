"""A run with a model that obeys whatever it reads: real stepper, real policy checks around model and tool calls, tools that only remember.

Orders are JSON within any text: `ORDER{"tool": …, "arguments": {…}}END`. The model carries out each order once, in the order found.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue

from activities.policy_checks import permit, verdicts_on
from activities.policy_decisions import PolicyDecisions
from activities.replies import outcome
from activities.requests import PromptRequest, ToolRequest
from adapters.policy.cedar import CedarEngine
from adapters.policy.shipped import ShippedSets
from domain.attachments import INPUT, AttachmentPlace, read_attachments
from domain.envelope import Envelope, Receipt
from domain.errors import StandfastError
from domain.labels import Label
from domain.policy import PolicyDecider, PolicyRequest, PolicyVerdict
from domain.program import Program
from domain.projection import project
from domain.provider import CompletionReply, ModelToolCall, StopReason
from domain.runs import RunStatus
from domain.signals import Signal
from domain.state import (
    AskApproval,
    CallTool,
    Command,
    CompletePrompt,
    Decided,
    Done,
    Failed,
    Failure,
    Finish,
    Listen,
    Outcome,
    RunContext,
    Signalled,
    State,
    Tick,
    Unwind,
    Unwound,
)
from domain.stepper import Stepper
from tests.fakes_policies import FakePolicyStore

ORDER = re.compile(r"ORDER(\{.*?\})END")
NOW = "2026-03-01T12:00:00.000000+00:00"
MODEL = "fake/model"


def order(tool: str, **arguments: JsonValue) -> str:
    """Write an order as an attacker hides it in a text."""
    return "Very nice. ORDER" + json.dumps({"tool": tool, "arguments": arguments}) + "END Thank you."


class AllowAll:
    """The gate switched off."""

    async def decide(self, request: PolicyRequest) -> PolicyVerdict:
        """Allow."""
        del request
        return PolicyVerdict(effect="allow", reason="off")


@dataclass
class World:
    """One run: `answers` says what tools answer, `person` who is asked about which calls; `done` are the calls that were made.

    `by_hand` are steps that a person has to undo.
    """

    program: Program
    answers: Callable[[str, dict[str, JsonValue]], JsonValue] = lambda _tool, _arguments: {}
    given: JsonValue = None
    input_labels: dict[str, list[Label]] = field(default_factory=dict[str, list[Label]])
    person: Callable[[dict[str, JsonValue]], bool] = lambda _arguments: False
    signals: list[JsonValue] = field(default_factory=list[JsonValue])
    gate: bool = True
    reload: bool = False
    done: list[tuple[str, dict[str, JsonValue]]] = field(default_factory=list[tuple[str, dict[str, JsonValue]]])
    asked: list[dict[str, JsonValue]] = field(default_factory=list[dict[str, JsonValue]])
    approved: set[str] = field(default_factory=set[str])
    heard: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    obeyed: set[str] = field(default_factory=set[str])
    refs: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    labels: dict[str, list[Label]] = field(default_factory=dict[str, list[Label]])
    by_hand: list[str] = field(default_factory=list[str])
    finish: Finish | None = None
    turn: int = 0

    def run(self) -> "World":
        """Play the run to its end."""
        asyncio.run(self._run())
        return self

    @property
    def succeeded(self) -> bool:
        """Whether the run ended well."""
        return self.finish is not None and self.finish.status is RunStatus.SUCCEEDED

    def made(self, tool: str) -> list[dict[str, JsonValue]]:
        """Return the arguments of the calls of a tool that were made."""
        return [arguments for name, arguments in self.done if name == tool]

    async def _run(self) -> None:
        decider = PolicyDecisions(store=FakePolicyStore(), shipped=ShippedSets(), engine=CedarEngine())
        self._decider: PolicyDecider = decider if self.gate else AllowAll()
        stepper = self._stepper(State())
        commands = stepper.start(self._tick())
        while self.finish is None:
            waiting = [command for command in stepper.state.pending.values() if not isinstance(command, Finish)]
            self.finish = next((one for one in [*commands, *stepper.state.pending.values()] if isinstance(one, Finish)), None)
            if self.finish is not None or not waiting:
                return
            commands = stepper.apply(await self._outcome(waiting[0]), self._tick())
            if self.reload:  # as continue-as-new does, between any two outcomes
                stepper = self._stepper(State.model_validate_json(stepper.state.model_dump_json()))

    def _stepper(self, state: State) -> Stepper:
        context = RunContext(tenant="acme", run="run_1", principal="prn_1", input=self.given, input_labels=self.input_labels)
        return Stepper(self.program, context, state)

    def _tick(self) -> Tick:
        self.turn += 1
        return Tick(now=NOW, entropy=f"{self.turn:032x}")

    async def _outcome(self, command: Command) -> Outcome:
        if isinstance(command, CompletePrompt):
            return await self._model(command)
        if isinstance(command, CallTool):
            return await self._tool(command)
        if isinstance(command, AskApproval):
            arguments = command.approval.calls[0].arguments
            self.asked.append(arguments)
            yes = self.person(arguments)
            self.approved |= {command.approval.approval} if yes else set()
            return Decided(command=command.id, verdict="approve" if yes else "reject", decision_id="dec_1", decided_by="prn_2")
        if isinstance(command, Unwind):
            return await self._unwind(command)
        if isinstance(command, Listen):
            return Signalled(signal=Signal(id=f"s{self.turn}", name=command.signal, payload=self.signals.pop(0)))
        raise AssertionError(command)

    def _envelope(self, command: CallTool | CompletePrompt, request: dict[str, JsonValue]) -> Envelope:
        where = {"step": command.step, "visit": command.visit, "call": command.call}
        known = {
            "tenant": "acme",
            "run": "run_1",
            "epoch": 1,
            "correlation_id": "c",
            "principal": "prn_1",
            "deadline_s": 5,
            "request": request,
        }
        return Envelope.model_validate({**known, **where})

    async def _model(self, command: CompletePrompt) -> Outcome:
        request = PromptRequest.model_validate(command.request)
        heard = self.heard.setdefault(command.step, [])
        heard.extend(self._text(item) for item in request.append)
        reply = self._reply(heard, request)
        verdicts = await verdicts_on(self._decider, self._envelope(command, command.request), request, reply)
        told = outcome(request, reply, {"count": 1, "digest": "d"}, verdicts)
        self.refs[f"reply-{command.id}"] = told
        return Done(command=command.id, receipt=Receipt(ref=f"reply-{command.id}", digest="d", fields=project(told, command.project)))

    def _text(self, item: dict[str, JsonValue]) -> str:
        if item["kind"] == "user":
            value = item["value"]
            shown = [self._file(AttachmentPlace.model_validate(place)) for place in cast("list[JsonValue]", item.get("attachments") or [])]
            return " ".join([value if isinstance(value, str) else json.dumps(value), *shown])
        if item["kind"] == "reply":
            return ""
        return str(item["error"]) if item.get("error") else json.dumps(self.refs[str(item["ref"])])

    def _file(self, place: AttachmentPlace) -> str:
        files = read_attachments(place, self.given if place.ref == INPUT else self.refs[place.ref])
        return " ".join((one.content or b"").decode() for one in files)

    def _reply(self, heard: list[str], request: PromptRequest) -> CompletionReply:
        """Obey each order that was heard once; else repeat all that was heard, which is how a summary carries orders on."""
        tools = {tool.name for tool in request.tools}
        for found in (match for text in heard for match in ORDER.findall(text.replace("\\", ""))):
            wanted = json.loads(found)
            if found not in self.obeyed and wanted["tool"] in tools:
                self.obeyed.add(found)
                call = ModelToolCall(vendor_id=f"v{len(self.obeyed)}", name=wanted["tool"], arguments=wanted["arguments"])
                return CompletionReply(stop=StopReason.TOOL_CALLS, tool_calls=[call], model=MODEL, input_tokens=1, output_tokens=1, text="")
        summary = " ".join(text for text in heard if text)
        return CompletionReply(text=summary, stop=StopReason.ANSWERED, model=MODEL, input_tokens=1, output_tokens=1)

    async def _unwind(self, command: Unwind) -> Outcome:
        """Undo as the courier does; what policy does not let through is left to a person."""
        for undo in command.undo:
            tool = self.program.tools[undo.tool]
            known = {name: getattr(tool, name) for name in ("version", "effect_class", "retry_class", "timeout_s", "max_attempts")}
            where = {"id": f"{undo.step}/undo", "step": undo.step, "visit": undo.visit, "call": "compensate", "tool": undo.tool}
            said = {"arguments": undo.arguments, "policy": undo.policy}
            outcome = await self._tool(CallTool.model_validate({**known, **where, **said}))
            self.by_hand += [undo.step] if isinstance(outcome, Failed) else []
        return Unwound(command=command.id)

    async def _tool(self, command: CallTool) -> Outcome:
        request = ToolRequest.model_validate({**command.model_dump(mode="json"), "max_attempts": 1})
        approved = command.approval in self.approved if command.approval else False
        envelope = self._envelope(command, request.model_dump(mode="json"))
        try:
            await permit(self._decider, envelope, request, command.arguments, roles=(), approved=approved)
        except StandfastError as error:
            return Failed(command=command.id, failure=Failure(code=error.code, detail=error.detail, step=command.step))
        self.done.append((command.tool, command.arguments))
        self.labels[command.tool] = request.policy.taint if request.policy is not None else []
        answer = self.answers(command.tool, command.arguments)
        if isinstance(answer, str) and answer.startswith("FAIL "):
            return Failed(command=command.id, failure=Failure(code="tool-failed", detail=answer[5:], step=command.step))
        self.refs[f"out-{command.id}"] = answer
        return Done(command=command.id, receipt=Receipt(ref=f"out-{command.id}", digest="d", fields=project(answer, command.project)))
