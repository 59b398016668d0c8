"""Registered agents in hand-written workflows: `run_agent`, and agents that ask each other or hand their task on. Deterministic.

    async with Run(ticket, agents=["claim-reviewer@^1"], restart_with=[claim]) as run:
        verdict = await run_agent(run, "review", "claim-reviewer", claim)

The loop of model and tools is the one of definitions (`domain/agent_loop.py`); so are its journal, budgets, policy, approvals and ledger.
An agent that another one asks runs within this workflow as a step of its own, whose name begins with the asking step's.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.admission import ASK_TOOL, HAND_OFF_TOOL
from domain.agent_loop import AgentLoop
from domain.canonical import canonical_bytes
from domain.envelope import Receipt
from domain.errors import AgentRefused, EffectSuperseded, HandoffsExhausted, InvalidInput, RunCancelled, StandfastError
from domain.labels import merged, untrusted
from domain.ledger import Kind
from domain.model import Wire
from domain.pinned_agents import PinnedAgent, filled
from domain.program import AgentStep
from domain.projection import unproject
from domain.recorder import Recorder
from domain.state import (
    AgentState,
    AskApproval,
    AskPerson,
    CallTool,
    Command,
    CompletePrompt,
    Done,
    Failed,
    Failure,
    Finish,
    Outcome,
    RunContext,
    StepRecord,
    StepStatus,
    Tick,
)
from domain.step_entry import complete_step, fail_step
from workflows.code_runs import Run, failure_error, seconds_from_now
from workflows.couriers import now_text

HANDOFFS_MAX = 8
"""How often a task may be handed on."""
DEPTH_MAX = 4
"""How deep agents may ask each other."""


class Handled(Wire):
    """The answer of the agent that kept the task, and who had it before, in order."""

    answer: JsonValue
    agent: str
    by: list[str]


async def run_agent(
    run: Run,
    name: str,
    agent: str,
    given: JsonValue = None,
    *,
    variables: Mapping[str, JsonValue] | None = None,
    within: timedelta | None = None,
) -> JsonValue:
    """Run a registered agent until it answers, and return that: text, or JSON by its schema.

    Args:
        run: The run it belongs to, which named the agent.
        name: The step's name, unique in the run.
        agent: The agent's name.
        given: What it is given; at most 8 KiB come back.
        variables: What its instructions read.
        within: After it, or the agent's own limit, the step fails.

    Raises:
        ApplicationError: it failed for good; its type is the failure's code, such as `agent-refused` or `turns-exhausted`.
        CancelledError: the run was cancelled.
    """
    handled = await hand_around(run, name, agent, given, variables={agent: dict(variables or {})}, within=within)
    return handled.answer


async def hand_around(
    run: Run,
    name: str,
    agent: str,
    given: JsonValue = None,
    *,
    variables: Mapping[str, Mapping[str, JsonValue]] | None = None,
    within: timedelta | None = None,
    handoffs_max: int = HANDOFFS_MAX,
) -> Handled:
    """Run a registered agent and whoever it hands its task to, and say who answered.

    Args:
        run: The run it belongs to, which named the first agent.
        name: The first step's name, unique in the run; those after it are named by it, a number, and their agent.
        agent: The first agent's name.
        given: What it is given. Another one gets it too, with what was said so far and why it was called.
        variables: What instructions read, by agent.
        within: The time of all of them together.
        handoffs_max: How often the task may be handed on.

    Raises:
        ApplicationError: one of them failed for good, or the task was handed on too often (`handoffs-exhausted`).
        CancelledError: the run was cancelled.
    """
    deadline = seconds_from_now(within) if within is not None else None
    known = {one: dict(values) for one, values in (variables or {}).items()}
    path, current, by = name, agent, list[str]()
    task, before = given, list[dict[str, JsonValue]]()
    while True:
        turn = AgentTurn(run, _step(run, path, current), given=task, deadline=deadline)
        await turn.end(before=before, variables=known.get(current, {}))
        state = run.state.agents[path]
        if not state.handed_to:
            return Handled(answer=run.output(path), agent=current, by=by)
        by.append(current)
        if len(by) > handoffs_max:
            detail = f"{name} was handed on {len(by)} times: {', '.join(by)}; raise handoffs_max or mend the prompts"
            raise ApplicationError(detail, type=HandoffsExhausted.code, non_retryable=True)
        before = [_transcript(run, path, state, current)]
        task = {"task": given, "handed_over_by": current, "why": _why(run, path)}
        current = state.handed_to
        path = f"{name}.{_word(current)}_{len(by)}"


def _word(agent: str) -> str:
    return agent.replace("-", "_")


def _step(run: Run, path: str, agent: str) -> AgentStep:
    """The step of an agent that the run has pinned.

    Raises:
        ValueError: it has not; it is a bug of the workflow.
    """
    pinned = run.agents.get(agent)
    if pinned is None:
        raise ValueError(f"the agent {agent} of {path} is not among the agents of this run: name it in Run(agents=[…])")
    return filled(AgentStep(path=path, model="", instructions="", input="${ input }"), pinned)


def _transcript(run: Run, path: str, state: AgentState, agent: str) -> dict[str, JsonValue]:
    """What stands in the store of a conversation, for the one who takes over."""
    head: JsonValue = {"count": state.head_count, "digest": state.head_digest}
    conversation = f"{path}#{run.state.steps[path].visit}"
    return {"kind": "transcript", "conversation": conversation, "head": head, "ref": state.reply_ref, "of": agent}


def _why(run: Run, path: str) -> JsonValue:
    told = run.output(path)
    return told.get("why", "") if isinstance(told, dict) else ""


class AgentTurn:
    """One agent step, driven to its end; what the agents that it asks do lies within it."""

    def __init__(self, run: Run, step: AgentStep, *, given: JsonValue, deadline: str | None = None, depth: int = 0) -> None:
        self._run = run
        self._step = step
        self._given = given
        self._deadline = deadline
        self._depth = depth
        self._running: dict[asyncio.Task[Outcome], Command] = {}

    @property
    def _path(self) -> str:
        return self._step.path

    @property
    def _record(self) -> StepRecord:
        return self._run.state.steps[self._path]

    @property
    def _agent(self) -> PinnedAgent:
        pin = self._step.pin
        assert pin is not None  # noqa: S101 - every step of this module has one
        return self._run.agents[pin.name]

    async def end(self, *, before: list[dict[str, JsonValue]], variables: Mapping[str, JsonValue]) -> None:
        """Bring the step to its end, from wherever it stands.

        Raises:
            failure_error: an ApplicationError: it failed.
            CancelledError: the run was cancelled.
        """
        if self._run.done_before(self._path):
            return
        commands = self._enter(before, variables)
        while commands or self._running:
            if not self._running and all(isinstance(command, CompletePrompt) for command in commands):
                await self._run.renewal.breathe()
            self._begin(commands)
            commands = await self._next()
        if self._record.status is StepStatus.ENTERED:  # a cancellation ended the loop
            self._fail(Failure(code=RunCancelled.code, detail="the run was asked to end", step=self._path))
        failure = self._record.failure
        if failure is not None and self._run.cancelled and failure.code == RunCancelled.code:
            raise asyncio.CancelledError(failure.detail)
        if failure is not None:
            raise failure_error(failure)

    def _enter(self, before: list[dict[str, JsonValue]], variables: Mapping[str, JsonValue]) -> list[Command]:
        """The first commands, or those of a step that an execution before this one had begun.

        Raises:
            ValueError: two steps have this name.
        """
        state = self._run.state
        self._run.budget(self._path, self._step.budget)
        self._run.program.projections[self._path] = [""]
        if self._path in self._run.earlier:
            self._run.earlier.discard(self._path)
            return self._pending()
        if self._path in state.steps:
            raise ValueError(f"two steps of this run are named {self._path}: give each its own name")
        own = seconds_from_now(timedelta(seconds=self._step.timeout_s)) if self._step.timeout_s is not None else None
        deadline = min((at for at in (own, self._deadline) if at is not None), default=None)
        state.steps[self._path] = StepRecord(status=StepStatus.ENTERED, deadline=deadline)
        pin = self._agent.pin
        said: dict[str, JsonValue] = {"keyword": "agent", "agent": f"{pin.name}@{pin.version}", "sha256": pin.sha256}
        recorder = self._recorder()
        recorder.fact(Kind.STEP_ENTERED, step=self._path, data=said)
        return self._opened(recorder, before, variables)

    def _pending(self) -> list[Command]:
        """What this step has asked for and has no outcome of."""
        return [one for one in self._run.state.pending.values() if not isinstance(one, Finish) and one.step == self._path]

    def _opened(self, recorder: Recorder, before: list[dict[str, JsonValue]], variables: Mapping[str, JsonValue]) -> list[Command]:
        self._run.state.agents[self._path] = AgentState(before=before, variables=dict(variables))
        self._loop(recorder, lambda loop: loop.begin())
        return recorder.commands

    def _loop(self, recorder: Recorder, do: Callable[[AgentLoop], None]) -> None:
        """Let the loop take a turn; what it cannot make sense of fails the step."""
        self._run.state.cancelled = self._run.cancelled
        try:
            do(AgentLoop(self._step, recorder))
        except StandfastError as error:
            fail_step(recorder, self._step, Failure(code=error.code, detail=error.detail, step=self._path))

    def _recorder(self) -> Recorder:
        """Notes facts and commands of this step; its expressions see what the agent is given as the input."""
        run, seen = self._run, self._run.seen()
        context = RunContext(
            tenant=run.ticket.tenant,
            run=run.ticket.run,
            principal=run.ticket.principal,
            input=self._given,
            input_labels={"": seen} if untrusted(seen) else {},
        )
        tick = Tick(now=now_text(), entropy=workflow.uuid4().hex)
        return Recorder(run.program, context, run.state, tick, steps={self._path: self._step})

    def _begin(self, commands: list[Command]) -> None:
        handed = next((one for one in commands if isinstance(one, CallTool) and one.tool.startswith(HAND_OFF_TOOL)), None)
        if handed is not None:
            self._hand_off(handed, commands)
            return
        for command in commands:
            self._running[asyncio.ensure_future(self._outcome(command))] = command

    def _hand_off(self, handed: CallTool, commands: list[Command]) -> None:
        """End the step: another agent takes over. What was asked for beside it is not done."""
        recorder, state = self._recorder(), self._run.state
        for command in commands:
            state.pending.pop(command.id, None)
            if isinstance(command, CallTool) and command is not handed:
                recorder.fact(Kind.TOOL_REFUSED, step=self._path, call=command.call, data={"tool": command.tool[:100]})
        other = self._agent.others[handed.tool]
        state.agents[self._path].handed_to = other
        told: JsonValue = {"handed_off_to": other, "why": str(handed.arguments.get("why", ""))[:2000]}
        complete_step(recorder, self._step, fields={"": told}, ref=state.agents[self._path].reply_ref, digest=None)

    async def _next(self) -> list[Command]:
        """Wait for what runs, and return what comes after it."""
        if not self._running:
            return []
        await self._run.shielded(workflow.wait_condition(lambda: any(task.done() for task in self._running)))
        commands: list[Command] = []
        for task in [task for task in self._running if task.done()]:
            command = self._running.pop(task)
            commands += await self._settled(command, task.result())
        return commands

    async def _settled(self, command: Command, outcome: Outcome) -> list[Command]:
        state = self._run.state
        state.pending.pop(command.id, None)
        recorder = self._recorder()
        if isinstance(outcome, Failed) and outcome.failure.code == EffectSuperseded.code:
            return self._anew(recorder, command)
        self._loop(recorder, lambda loop: loop.settle(command, outcome))
        if isinstance(command, AskApproval):
            await self._run.shielded(self._run.tell_decision(command))
        return recorder.commands

    def _anew(self, recorder: Recorder, command: Command) -> list[Command]:
        """Begin the step again with its next visit: what it did before was done with other arguments."""
        state = self._run.state
        visit = getattr(command, "visit", 1)
        if visit < self._record.visit:
            return []  # another call of the same turn has said so already
        self._record.visit += 1
        for other in self._pending():
            state.pending.pop(other.id)
        for task in list(self._running):
            self._running.pop(task)
        return self._opened(recorder, [], state.agents[self._path].variables)

    async def _outcome(self, command: Command) -> Outcome:
        run = self._run
        if isinstance(command, AskApproval):
            with run.renewal.held():
                return await run.ask(command)
        if isinstance(command, AskPerson):
            with run.renewal.held():
                return await run.ask_person(command)
        if isinstance(command, CallTool) and command.tool.startswith(ASK_TOOL):
            return await self._ask(command)
        with run.renewal.held():
            return await run.effects.run(command)

    async def _ask(self, command: CallTool) -> Outcome:
        """Have another agent do a task; its answer is the call's result."""
        name = self._agent.others.get(command.tool, "")
        call = next(one for one in self._run.state.agents[self._path].calls if command.call.endswith(f".{one.index}"))
        call.part = "answer"
        path = f"{self._path}.{_word(name)}_{command.call.replace('.', '_')}"
        if self._depth >= DEPTH_MAX:
            return self._not_asked(command, f"agents may ask each other {DEPTH_MAX} deep: do it yourself")
        step = _step(self._run, path, name)
        task = command.arguments.get("task") if command.arguments_from is None else None
        if not isinstance(task, str):
            return self._not_asked(command, "the task is missing, or too long: 2,000 characters at most")
        inner = AgentTurn(self._run, step, given=task, deadline=self._record.deadline, depth=self._depth + 1)
        try:
            await inner.end(before=[], variables={})
        except ApplicationError as error:
            return Failed(command=command.id, failure=Failure(code=error.type or "step-failed", detail=error.message, step=path))
        except asyncio.CancelledError:
            return self._run.effects.withdrawn(command)
        state = self._run.state
        state.agents[self._path].taint = merged(state.agents[self._path].taint, state.agents[path].taint)
        record = state.steps[path]
        size = len(canonical_bytes(unproject(record.fields)))
        return Done(command=command.id, receipt=Receipt(ref=record.ref, digest=record.digest, size=size))

    def _not_asked(self, command: CallTool, why: str) -> Outcome:
        return Failed(command=command.id, failure=Failure(code=InvalidInput.code, detail=why, step=self._path))

    def _fail(self, failure: Failure) -> None:
        fail_step(self._recorder(), self._step, failure)


def needs(run: Run, agent: str, *fields: str) -> None:
    """Refuse an agent whose answers do not have these fields, before anything is asked of it.

    Raises:
        ApplicationError: its output schema does not require them.
        ValueError: the run has not named the agent.
    """
    schema = _step(run, "check", agent).output_schema or {}
    required = schema.get("required")
    missing = [field for field in fields if not isinstance(required, list) or field not in required]
    if missing:
        detail = f"the agent {agent} must answer with {', '.join(missing)}: require that in its output schema"
        raise ApplicationError(detail, type=AgentRefused.code, non_retryable=True)
