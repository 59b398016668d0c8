"""Runs one claim through the compiled bundle without Temporal: the pure stepper, the scripted model, the real tools and services."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from activities.replies import read_answer
from adapters.definitions.yaml_reader import YamlBundleReader
from adapters.models.scripted import ScriptedProvider
from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.python_run import PythonRun
from adapters.tools.registry import ToolContext
from domain.compile import compile_program
from domain.envelope import Receipt
from domain.errors import StandfastError
from domain.program import Program
from domain.projection import project
from domain.provider import CompletionReply, CompletionRequest, Message, StopReason, ToolSchema
from domain.schemas import validate
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
    Outcome,
    RunContext,
    State,
    Tick,
    Unwind,
    Unwound,
)
from domain.stepper import Stepper
from domain.tools import Tool, ToolCall, ToolSpec
from examples.delay_claim.demo.bundle import read_bundle_files, with_addresses
from examples.delay_claim.tools import build
from tests.outbound import outbound

SCRIPT = Path(__file__).parents[2] / "examples" / "delay_claim" / "scripts" / "claim-reviewer.yaml"


async def no_secret(_tenant: str, name: str) -> str:
    """Resolve no secret: the bundle names none."""
    raise LookupError(name)


class BundleTools:
    """The tools of the bundle: built-ins by name, HTTP tools from their declarations."""

    def __init__(self) -> None:
        self.sandbox = MontySandbox(workers=1)
        context = ToolContext(sandbox=self.sandbox, profiles=DEFAULT_PROFILES, resolve_secret=no_secret)
        python = PythonRun(self.sandbox, DEFAULT_PROFILES["python-small"])
        self._built_in: dict[str, Tool] = {tool.spec.name: tool for tool in [*build(context), python]}
        self._declared = DeclaredHttpTools(resolve_secret=no_secret, outbound=outbound())

    def specs(self) -> list[ToolSpec]:
        """Return what the built-ins declare."""
        return [tool.spec for tool in self._built_in.values()]

    async def call(self, name: str, arguments: dict[str, JsonValue], declaration: dict[str, JsonValue] | None, *, key: str) -> JsonValue:
        """Call a tool as the activity does, its input and output checked."""
        tool = self._declared.tool(declaration) if declaration else self._built_in[name]
        assert validate(tool.spec.input_schema, arguments) == []
        call = ToolCall(
            tool=name,
            version=tool.spec.version,
            arguments=arguments,
            idempotency_key=key,
            correlation_id="test",
            tenant="default",
            run="run_test",
            deadline_s=tool.spec.timeout_s,
        )
        output = await tool.call(call)
        assert validate(tool.spec.output_schema, output) == []
        return output

    async def aclose(self) -> None:
        """Close connections and the sandbox."""
        await self._declared.aclose()
        await self.sandbox.aclose()


def compile_bundle(tools: BundleTools, *, bank_url: str, mail_url: str, config: Mapping[str, JsonValue]) -> Program:
    """Return the bundle's program for services at these addresses."""
    files = with_addresses(read_bundle_files(), bank_url=bank_url, mail_url=mail_url)
    drafts, problems = YamlBundleReader().read(files, tools=tools.specs())
    assert problems == []
    return compile_program(drafts[0], tools=tools.specs(), config=dict(config))


@dataclass
class ClaimRun:
    """One run of the bundle; `verdict` is what a reviewer says."""

    program: Program
    tools: BundleTools
    claim: dict[str, JsonValue]
    verdict: str = "approve"
    asked: list[AskApproval] = field(default_factory=list[AskApproval])
    requests: list[CompletionRequest] = field(default_factory=list[CompletionRequest])
    calls: list[CallTool] = field(default_factory=list[CallTool])

    def __post_init__(self) -> None:
        self._model = ScriptedProvider({"claim-reviewer": SCRIPT})
        self._stored: dict[str, JsonValue] = {}
        self._messages: list[Message] = []
        self._ticks = 0

    async def finish(self) -> Finish:
        """Drive the run to its end and return that."""
        context = RunContext(tenant="default", run="run_test", principal="prn_requester", input={"claim": self.claim})
        stepper = Stepper(self.program, context, State())
        todo = stepper.start(self._tick())
        while todo:
            command = todo.pop(0)
            if isinstance(command, Finish):
                return command
            todo += stepper.apply(await self._outcome(command), self._tick())
        raise AssertionError("the stepper asked for nothing and has not finished")

    def _tick(self) -> Tick:
        self._ticks += 1
        return Tick(now=f"2026-01-01T00:00:{self._ticks:02}.000000+00:00", entropy=f"{self._ticks:032x}")

    async def _outcome(self, command: Command) -> Outcome:
        if isinstance(command, CompletePrompt):
            return Done(command=command.id, receipt=self._receipt(command.id, await self._reply(command), command.project))
        if isinstance(command, CallTool):
            return await self._called(command)
        if isinstance(command, AskApproval):
            self.asked.append(command)
            verdict = "approve" if self.verdict == "approve" else "reject"
            return Decided(command=command.id, verdict=verdict, decision_id="dec_1", decided_by="prn_reviewer")
        assert isinstance(command, Unwind)
        for undo in command.undo:
            assert undo.problem is None
            declaration = self.program.tools[undo.tool].declaration
            await self.tools.call(undo.tool, undo.arguments, declaration, key=f"undo-{undo.step}")
        return Unwound(command=command.id)

    async def _called(self, command: CallTool) -> Outcome:
        self.calls.append(command)
        key = f"{self.claim['claim_id']}/{command.step}/{command.call}"
        try:
            output = await self.tools.call(command.tool, command.arguments, command.declaration, key=key)
        except StandfastError as error:
            return Failed(command=command.id, failure=Failure(code=error.code, detail=error.detail, step=command.step))
        return Done(command=command.id, receipt=self._receipt(command.id, output, command.project))

    def _receipt(self, ref: str, output: JsonValue, fields: list[str]) -> Receipt:
        self._stored[ref] = output
        return Receipt(ref=ref, digest="0" * 64, fields=project(output, fields))

    async def _reply(self, command: CompletePrompt) -> JsonValue:
        asked = command.request
        for item in cast("list[dict[str, JsonValue]]", asked["append"]):
            self._messages.append(self._message(item))
        schema = cast("dict[str, JsonValue]", asked["output_schema"])
        names = ("name", "description", "parameters")
        request = CompletionRequest(
            model=str(asked["model"]),
            instructions=str(asked["instructions"]),
            messages=list(self._messages),
            tools=[ToolSchema.model_validate({name: tool[name] for name in names}) for tool in _objects(asked["tools"])],
            output_schema=schema,
        )
        self.requests.append(request)
        reply = await self._model.complete(request, timeout_s=5)
        answer, problems = read_answer(schema, reply.text) if reply.stop is StopReason.ANSWERED else (None, [])
        return {
            "stop": reply.stop.value,
            "head": {"count": len(self._messages), "digest": ""},
            "calls": [{"name": c.name, "vendor_id": c.vendor_id, "problem": None, "arguments": c.arguments} for c in reply.tool_calls],
            "problems": list(problems),
            "answer": answer,
            "scripted": reply.scripted,
            "reply": _as_message(reply).model_dump(mode="json"),
        }

    def _message(self, item: dict[str, JsonValue]) -> Message:
        if item["kind"] == "user":
            return Message(role="user", text=json.dumps(item["value"], sort_keys=True))
        stored = self._stored[str(item["ref"])]
        if item["kind"] == "reply":
            return Message.model_validate(cast("dict[str, JsonValue]", stored)["reply"])
        return Message(role="tool", vendor_id=str(item["vendor_id"]), text=json.dumps(stored, sort_keys=True))


def _as_message(reply: CompletionReply) -> Message:
    return Message(role="assistant", text=reply.text, tool_calls=reply.tool_calls)


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return cast("list[dict[str, JsonValue]]", value)
