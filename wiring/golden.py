"""Plays a golden trace offline: the real stepper and the real model activity, with scripts for models and recorded answers for tools.

No server, no network, no tool is touched. What a definition, a prompt's schema or this version makes of the same answers is compared with
what was made of them when the trace was recorded.
"""

import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from activities.prompts import PromptActivities
from adapters.models.scripted import SCRIPTED_PREFIX, ScriptedProvider
from domain.canonical import plain_digest
from domain.effects import request_digest
from domain.envelope import Envelope, Receipt
from domain.errors import ReferenceMissing, StandfastError
from domain.estimates import text_bytes
from domain.golden import RecordedDecision, RecordedTask, Trace
from domain.policy import PolicyRequest, PolicyVerdict
from domain.program import Program
from domain.projection import project, unproject
from domain.provider import Message
from domain.runs import RunStatus
from domain.state import (
    Answered,
    AskApproval,
    AskPerson,
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
    State,
    Tick,
    Unwind,
    Unwound,
)
from domain.stepper import Stepper
from domain.stores import ConversationHead
from wiring.golden_undo import Undoing
from wiring.prices import build_prices
from wiring.settings import ModelSettings
from workflows.failures import SURELY_NOT

TENANT, PRINCIPAL = "replay", "prn_replay"
COMMANDS_MAX = 10_000
DEADLINE_S = 60.0


@dataclass
class Replayed:
    """What came out, and what is other than recorded; nothing is when `differences` is empty."""

    status: str
    result: JsonValue
    differences: list[str] = field(default_factory=list[str])


class _Memory:
    """Conversations and payloads of one replay."""

    def __init__(self) -> None:
        self._messages: dict[str, list[Message]] = {}
        self._payloads: dict[str, JsonValue] = {}

    async def append(self, tenant: str, run: str, conversation: str, head: ConversationHead, messages: list[Message]) -> ConversationHead:
        """Append after `head`."""
        del tenant, run
        kept = self._messages.setdefault(conversation, [])
        kept[head.count :] = messages
        return ConversationHead(count=len(kept), digest=str(len(kept)))

    async def load(self, tenant: str, run: str, conversation: str, head: ConversationHead) -> list[Message]:
        """Return what the head names."""
        del tenant, run
        return self._messages.get(conversation, [])[: head.count]

    async def get(self, tenant: str, ref: str) -> JsonValue:
        """Return a payload.

        Raises:
            ReferenceMissing: nothing lies there.
        """
        del tenant
        if ref not in self._payloads:
            raise ReferenceMissing(f"nothing was stored under {ref}")
        return self._payloads[ref]

    async def put(self, tenant: str, run: str, value: JsonValue) -> str:
        """Keep a payload and return its name."""
        del tenant, run
        ref = secrets.token_hex(16)
        self._payloads[ref] = value
        return ref


class _Verdicts:
    """Policy as it was: a call that was made is allowed, one that people decided is put before them, any other is denied."""

    def __init__(self, trace: Trace) -> None:
        self._made = {(one.step, one.visit, one.call) for one in (*trace.outputs, *trace.tasks)}
        self._decided = {(one.step, one.visit, one.call) for one in trace.decisions}
        self._turns: dict[tuple[str, int], list[list[dict[str, JsonValue]]]] = {}
        for answer in trace.answers:
            self._turns.setdefault((answer.step, answer.visit), []).append(answer.calls)
        self._open: list[tuple[tuple[str, int, str], dict[str, JsonValue]]] = []

    def begin(self, command: CompletePrompt, played: int) -> None:
        """Take the calls of the next recorded answer of a conversation, of which so many were played."""
        turns = self._turns.get((command.step, command.visit), [])
        turn = command.call.partition(".")[0]
        calls = turns[played] if played < len(turns) else []
        self._open = [((command.step, command.visit, f"{turn}.{index}"), call) for index, call in enumerate(calls)]

    async def decide(self, request: PolicyRequest) -> PolicyVerdict:
        """Return what was decided of the call when it was recorded."""
        asked = {"name": request.tool, "arguments": request.arguments}
        found = next((one for one in self._open if {name: one[1].get(name) for name in asked} == asked), None)
        if found is None:
            return PolicyVerdict(effect="deny", reason="the recording does not know this call")
        self._open.remove(found)
        step, visit, _ = place = found[0]
        if place in self._decided or ((step, visit, "") in self._decided and request.effect_class.changes_world):
            return PolicyVerdict(effect="require_approval", reason="as recorded", reviewers=["recorded"])
        return PolicyVerdict(effect="allow" if place in self._made else "deny", reason="as recorded")


class Replay:
    """One trace over one program; `scripts` are the files of its scripts, by step and visit."""

    def __init__(self, program: Program, trace: Trace, scripts: dict[tuple[str, int], Path]) -> None:
        self._trace = trace
        self._program = program
        self._memory = _Memory()
        self._names = {place: f"golden-{number}" for number, place in enumerate(scripts)}
        self._verdicts = _Verdicts(trace)
        self._prompts = PromptActivities(
            provider=ScriptedProvider({name: scripts[place] for place, name in self._names.items()}),
            prices=build_prices(ModelSettings()),
            messages=self._memory,
            payloads=self._memory,
            policy=self._verdicts,
        )
        self._outputs = {(one.step, one.visit, one.call): one for one in trace.outputs}
        self._decisions = {(one.step, one.visit, one.call): one for one in trace.decisions}
        self._tasks = {(one.step, one.visit, one.call): one for one in trace.tasks}
        self._asked: set[tuple[str, int, str]] = set()
        self._undoing = Undoing(program, trace)
        self._played: Counter[str] = Counter()
        self._differences: list[str] = []

    async def play(self) -> Replayed:
        """Play to the end, or to the first command that nothing recorded answers."""
        fields = project(self._trace.input, self._program.input_projection)
        context = RunContext(tenant=TENANT, run=self._trace.run, principal=PRINCIPAL, input=unproject(fields))
        stepper = Stepper(self._program, context, State())
        stepper.start(_tick())
        for _ in range(COMMANDS_MAX):
            pending = list(stepper.state.pending.values())
            self._note_asked(pending)
            finish = next((command for command in pending if isinstance(command, Finish)), None)
            if finish is not None:
                return self._judged(finish)
            outcome = await self._first_answer(pending)
            if outcome is None:
                waits = ", ".join(map(_told, pending))
                return self._stopped(f"the recording has no answer to: {waits or 'nothing'}")
            stepper.apply(outcome, _tick())
        return self._stopped(f"it did not end within {COMMANDS_MAX} commands")

    def _note_asked(self, pending: list[Command]) -> None:
        """Remember which recorded outputs and decisions were asked for: the others were recorded for nothing."""
        for command in pending:
            if isinstance(command, CallTool):
                self._asked.add((command.step, command.visit, command.call))
            elif isinstance(command, AskApproval) and (known := self._decision(command)) is not None:
                self._asked.add((known.step, known.visit, known.call))
            elif isinstance(command, AskPerson) and (filled := self._task(command)) is not None:
                self._asked.add((filled.step, filled.visit, filled.call))
            elif isinstance(command, Unwind):
                self._asked |= {place for entry in command.undo for place in self._undoing.tries(entry)}

    def _decision(self, command: AskApproval) -> RecordedDecision | None:
        """The recorded decision of a question; those of before do not name the call that they were about."""
        place = (command.step, command.visit)
        return self._decisions.get((*place, command.approval.call)) or self._decisions.get((*place, ""))

    def _task(self, command: AskPerson) -> RecordedTask | None:
        """What a person filled in: for a step of its own, or for an agent's question."""
        place = (command.step, command.visit)
        return self._tasks.get((*place, command.task.call)) or self._tasks.get((*place, ""))

    async def _first_answer(self, pending: list[Command]) -> Outcome | None:
        for command in pending:
            outcome = await self._answer(command)
            if outcome is not None:
                return outcome
        return None

    async def _answer(self, command: Command) -> Outcome | None:
        """The recorded answer to a command; None when there is none."""
        if isinstance(command, CompletePrompt):
            return await self._said(command)
        if isinstance(command, CallTool):
            return await self._given(command)
        if isinstance(command, AskApproval):
            known = self._decision(command)
            by = None if known is None or known.verdict == "timed_out" else PRINCIPAL
            return None if known is None else Decided(command=command.id, verdict=known.verdict, decided_by=by)
        if isinstance(command, AskPerson):
            filled = self._task(command)
            return None if filled is None else await self._filled_in(command, filled.output)
        if isinstance(command, Unwind):
            ended = self._undoing.undone(command, self._differences)
            return None if ended is None else Unwound(command=command.id, ended=ended)
        return None

    async def _filled_in(self, command: AskPerson, output: JsonValue) -> Outcome:
        ref = await self._memory.put(TENANT, self._trace.run, output)
        return Answered(command=command.id, resolution="completed", output=output, ref=ref, by=PRINCIPAL)

    async def _said(self, command: CompletePrompt) -> Outcome:
        place = (command.step, command.visit)
        name = self._names.get(place)
        if name is None:
            return _failed(command, "model-failed", "the recording has no answer of a model here")
        asked: dict[str, JsonValue] = {**command.request, "model": SCRIPTED_PREFIX + name, "fallbacks": [], "max_attempts": 1}
        envelope = Envelope(
            tenant=TENANT,
            run=self._trace.run,
            epoch=1,
            step=command.step,
            visit=command.visit,
            call=command.call,
            correlation_id=self._trace.run,
            principal=PRINCIPAL,
            deadline_s=DEADLINE_S,
            request=asked,
            project=command.project,
        )
        self._verdicts.begin(command, self._played[f"{command.step}#{command.visit}"])
        try:
            receipt = await self._prompts.complete_prompt(envelope)
        except StandfastError as error:
            return _failed(command, error.code, error.detail)
        self._played[f"{command.step}#{command.visit}"] += 1
        return await self._done(command, receipt.output)

    async def _given(self, command: CallTool) -> Outcome | None:
        known = self._outputs.get((command.step, command.visit, command.call))
        if known is None:
            return None
        subject = f"{command.tool}@{command.version}"
        if known.subject != subject:
            self._differences.append(f"{command.step}: calls {subject}, and {known.subject} was recorded")
        elif known.request is not None and command.arguments_from is None:
            digest = request_digest(tool=command.tool, version=command.version, arguments=command.arguments)
            if digest != known.request and not (self._trace.amended and command.approval is not None):
                self._differences.append(f"{command.step}: calls {subject} with other arguments than were recorded")
        if known.error is not None:
            unknown = known.error not in SURELY_NOT or known.attempt > 1
            return _failed(command, known.error, "as recorded", unknown=unknown)
        return await self._done(command, known.output)

    async def _done(self, command: CallTool | CompletePrompt, output: JsonValue) -> Outcome:
        try:
            fields = project(output, command.project)
        except StandfastError as error:
            return _failed(command, error.code, error.detail)
        ref = await self._memory.put(TENANT, self._trace.run, output)
        receipt = Receipt(ref=ref, digest=plain_digest(output), fields=fields, size=text_bytes(output))
        return Done(command=command.id, receipt=receipt)

    def _judged(self, finish: Finish) -> Replayed:
        """Compare the end with the recorded one; answers of models that nobody asked for count too."""
        if finish.status.value != self._trace.status:
            detail = f" ({finish.error.get('code')}: {finish.error.get('detail')})" if finish.error else ""
            self._differences.append(f"it {finish.status.value}{detail}, and {self._trace.status} was recorded")
        elif finish.status is RunStatus.SUCCEEDED and finish.output != self._trace.result:
            self._differences.append("its result is not the one that was recorded")
        recorded = Counter(f"{one.step}#{one.visit}" for one in self._trace.answers)
        for place, turns in sorted(recorded.items()):
            if self._played[place] != turns:
                self._differences.append(f"{place}: {self._played[place]} model calls, and {turns} were recorded")
        self._differences += self._not_asked()
        return Replayed(finish.status.value, finish.output, self._differences)

    def _not_asked(self) -> list[str]:
        """Say what was recorded and is not asked for any more."""
        gone = [(place, f"it does not call {one.subject}, and that was recorded") for place, one in self._outputs.items()]
        gone += [(place, f"nobody is asked, and {one.verdict!r} was recorded") for place, one in self._decisions.items()]
        gone += [(place, "no task is given to a person, and one was recorded") for place in self._tasks]
        return [f"{place[0]}: {said}" for place, said in gone if place not in self._asked]

    def _stopped(self, why: str) -> Replayed:
        return Replayed("stopped", None, [*self._differences, why])


def _told(command: Command) -> str:
    """Say what waits for an answer, and why a recording may have none."""
    if isinstance(command, Finish):
        return "the end"
    why = " (a replay plays no signals)" if isinstance(command, Listen) else ""
    return f"{command.kind} at {command.step}{why}"


def _failed(command: CallTool | CompletePrompt, code: str, detail: str, *, unknown: bool = False) -> Failed:
    return Failed(command=command.id, failure=Failure(code=code, detail=detail, step=command.step, unknown=unknown))


def _tick() -> Tick:
    return Tick(now=datetime.now(UTC).isoformat(timespec="microseconds"), entropy=secrets.token_hex(16))
