"""The agent step: model, tools, model … until it answers, refuses, is cut off, or its turns are used up. Pure.

Messages stay in the message store: the workflow carries the conversation's head and references only (JOURNAL §7). An agent's
call id is `turn.index`, never the model's own id. Calls of one turn run in parallel. A call that may not run (unknown tool,
arguments that break the schema, policy, a person's no) is told to the model as refused, never as done: `domain/agent_calls.py`.
"""

from typing import cast

from pydantic import JsonValue

from domain.agent_calls import AgentCalls, policy_of
from domain.agent_models import attachment_places, model_options
from domain.agent_questions import take_answer
from domain.errors import ModelCutOff, ModelRefused, OutputInvalid, StepTimedOut, TurnsExhausted
from domain.label_flow import result_labels
from domain.labels import Label, merged
from domain.program import AgentStep, Program
from domain.provider import StopReason
from domain.recorder import Recorder
from domain.state import (
    AgentCall,
    AgentState,
    AskApproval,
    AskPerson,
    CallTool,
    Command,
    CompletePrompt,
    Decided,
    Done,
    Failed,
    Failure,
    Outcome,
    StepStatus,
)
from domain.step_entry import complete_step, fail_step

PROMPT_FIELDS = ["stop", "head", "calls", "problems", "scripted"]
"""What the workflow reads of a model call's outcome, beside the projected answer."""

REPAIR = "Your answer does not fit the output schema:\n{problems}\nAnswer again with JSON that fits, and nothing else."


class AgentLoop:
    """One agent step within one turn of the stepper."""

    def __init__(self, step: AgentStep, recorder: Recorder) -> None:
        self.step = step
        self.recorder = recorder
        self.agent = recorder.state.agents.setdefault(step.path, AgentState())

    def begin(self) -> None:
        """Ask the model for the first time. Raises: ExpressionFailed."""
        given = self.recorder.render(self.step.input)
        variables = self.recorder.render(self.step.variables)
        if isinstance(variables, dict):
            self.agent.variables = variables
        before, self.agent.before = self.agent.before, []
        read = [self.step.input, self.step.variables, self.step.instructions, self.step.model]
        self._taint(*(self.recorder.labels.of(template) for template in read if template is not None))
        places = attachment_places(self.recorder.state, self.step)
        self._taint(*(self.recorder.labels.place(source) for source, _ in places))
        shown: JsonValue = [place.model_dump(mode="json") for _, place in places]
        self._ask([*before, {"kind": "user", "value": given, **({"attachments": shown} if shown else {})}])

    def settle(self, command: Command, outcome: Outcome) -> None:
        """Take the outcome of a model or tool call of this step."""
        if self.recorder.state.steps[self.step.path].status is not StepStatus.ENTERED:
            return
        if isinstance(outcome, Done):
            self.recorder.state.usage = self.recorder.state.usage + outcome.receipt.usage
        if isinstance(command, CompletePrompt):
            self._answered(outcome)
        elif isinstance(command, CallTool):
            self._called(command, outcome)
        elif isinstance(command, AskApproval):
            self._decided(command, outcome)
        elif isinstance(command, AskPerson):
            self._told(command, outcome)

    def _taint(self, *sources: list[Label]) -> None:
        """Note what else the conversation holds from now on."""
        self.agent.taint = merged(self.agent.taint, *sources)

    def _answered(self, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self._fail(outcome.failure)
            return
        if not isinstance(outcome, Done):
            return
        fields = outcome.receipt.fields
        head = cast("dict[str, JsonValue]", fields["head"])
        self.agent.head_count, self.agent.head_digest = cast("int", head["count"]), str(head["digest"])
        self.agent.reply_ref = outcome.receipt.ref
        self.agent.known_tokens = outcome.receipt.usage.input_tokens + outcome.receipt.usage.output_tokens
        stop = StopReason(str(fields["stop"]))
        if stop is StopReason.REFUSED:
            self._fail(Failure(code=ModelRefused.code, detail="the model declined to answer"))
        elif stop is StopReason.LENGTH:
            self._fail(
                Failure(
                    code=ModelCutOff.code, detail=f"the answer was cut off at {self.step.max_output_tokens} tokens: raise max_output_tokens"
                )
            )
        elif stop is StopReason.TOOL_CALLS:
            self._call_tools(cast("list[dict[str, JsonValue]]", fields["calls"]))
        else:
            self._answer(outcome)

    def _answer(self, outcome: Done) -> None:
        problems = cast("list[str]", outcome.receipt.fields.get("problems") or [])
        if not problems:
            prefix = "answer"
            kept = {k[len(prefix) :].lstrip("."): v for k, v in outcome.receipt.fields.items() if k == prefix or k.startswith(prefix + ".")}
            complete_step(self.recorder, self.step, fields=kept, ref=outcome.receipt.ref, digest=outcome.receipt.digest)
        elif self.agent.repaired:
            self._fail(
                Failure(
                    code=OutputInvalid.code, detail=f"after a repair turn the answer still breaks its schema: {'; '.join(problems)[:1000]}"
                )
            )
        else:
            self.agent.repaired = True
            self._ask(
                [{"kind": "reply", "ref": self.agent.reply_ref}, {"kind": "user", "value": REPAIR.format(problems="\n".join(problems))}]
            )

    def _call_tools(self, calls: list[dict[str, JsonValue]]) -> None:
        self.agent.calls = []
        if self.recorder.state.cancelled:
            return
        AgentCalls(self.step, self.recorder, self.agent).begin(calls)
        self._turn_over()

    def _decided(self, command: AskApproval, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self._fail(outcome.failure)
        elif isinstance(outcome, Decided):
            AgentCalls(self.step, self.recorder, self.agent).decided(command, outcome)
            self._turn_over()

    def _told(self, command: AskPerson, outcome: Outcome) -> None:
        call = next(c for c in self.agent.calls if command.task.call == f"{self.agent.turn}.{c.index}")
        self._taint(["user"])
        take_answer(self.recorder, self.step, call, command, outcome)
        self._turn_over()

    def _called(self, command: CallTool, outcome: Outcome) -> None:
        call = next(c for c in self.agent.calls if command.call == f"{self.agent.turn}.{c.index}")
        call.open = False
        self._taint(result_labels(self.recorder.program.tools[call.tool]))
        if isinstance(outcome, Done):
            call.result, call.bytes = outcome.receipt.ref, outcome.receipt.size
        elif isinstance(outcome, Failed):
            if outcome.failure.code in FATAL:
                self._fail(outcome.failure)
                return
            call.error = f"{outcome.failure.code}: {outcome.failure.detail}"
        self._turn_over()

    def _turn_over(self) -> None:
        if any(call.open for call in self.agent.calls):
            return
        append: list[JsonValue] = [{"kind": "reply", "ref": self.agent.reply_ref}]
        append.extend(
            {"kind": "tool", "vendor_id": c.vendor_id, "ref": c.result, "error": c.error, "bytes": c.bytes, **part_of(c), **note_of(c)}
            for c in self.agent.calls
        )
        self._ask(append)

    def _ask(self, append: list[JsonValue]) -> None:
        if self.agent.turn >= self.step.max_turns:
            self._fail(
                Failure(code=TurnsExhausted.code, detail=f"no answer after {self.step.max_turns} turns: raise max_turns or mend the prompt")
            )
            return
        deadline = self.recorder.state.steps[self.step.path].deadline
        if deadline is not None and deadline <= self.recorder.tick.now:
            self._fail(Failure(code=StepTimedOut.code, detail="the agent's time is over"))
            return
        if self.recorder.state.cancelled:
            return
        self.agent.turn += 1
        self.recorder.command(self._prompt(append, deadline))

    def _prompt(self, append: list[JsonValue], deadline: str | None) -> CompletePrompt:
        model = self.recorder.render(self.step.model)
        request: dict[str, JsonValue] = {
            "model": str(model),
            **instructions_of(self.recorder, self.step),
            "tools": prompt_tools(self.recorder.program, self.step),
            "output_schema": self.step.output_schema,
            "max_output_tokens": self.step.max_output_tokens,
            **model_options(self.step),
            "known_tokens": self.agent.known_tokens,
            "head": {"count": self.agent.head_count, "digest": self.agent.head_digest},
            "append": append,
            "policy": policy_of(self.recorder, self.step, self.agent).model_dump(mode="json"),
        }
        answers = ["answer" + (f".{path}" if path else "") for path in self.recorder.program.projections.get(self.step.path, [])]
        call = f"{self.agent.turn}.model"
        return CompletePrompt(
            id=self.recorder.command_id(self.step.path, call),
            step=self.step.path,
            visit=self.recorder.state.steps[self.step.path].visit,
            call=call,
            request=request,
            project=PROMPT_FIELDS + answers,
            retry=self.step.retry,
            deadline=deadline,
            summary=f"{self.recorder.summary(self.step.summary, self.step.path)}: {model} ({self._turn_text()})",
        )

    def _turn_text(self) -> str:
        return f"turn {self.agent.turn} of {self.step.max_turns}"

    def _fail(self, failure: Failure) -> None:
        fail_step(self.recorder, self.step, failure)


def prompt_tools(program: Program, step: AgentStep) -> list[JsonValue]:
    """Return the tools of an agent step as its model sees them."""
    tools = [program.tools[name] for name in step.tools]
    return [{"name": t.name, "version": t.version, "description": t.description, "parameters": t.input_schema} for t in tools]


def instructions_of(recorder: Recorder, step: AgentStep) -> dict[str, JsonValue]:
    """Return what the model is told before all else: a definition's own text, or which registered agent's. Raises: ExpressionFailed."""
    told: dict[str, JsonValue] = {
        "instructions": str(recorder.render(step.instructions)),
        "instructions_sha256": step.instructions_sha256,
    }
    known = recorder.state.agents.get(step.path)
    if step.pin is not None:
        told["agent"] = {**step.pin.model_dump(mode="json"), "variables": known.variables if known is not None else {}}
    return told


def part_of(call: AgentCall) -> dict[str, JsonValue]:
    """Return the key of a call's output that alone the model is told; a call of before has none."""
    return {} if call.part is None else {"part": call.part}


def note_of(call: AgentCall) -> dict[str, JsonValue]:
    """Return what the model is told before a call's output; mostly nothing."""
    return {} if call.note is None else {"note": call.note}


FATAL = frozenset(
    {
        "effect-divergent",
        "fact-diverged",
        "fact-gap",
        "stale-epoch",
        "run-cancelled",
        "reference-missing",
        "step-timed-out",
        "budget-exceeded",
    }
)
"""Failures of an agent's tool call that the model cannot do anything about."""
