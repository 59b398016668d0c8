"""The run of a hand-written workflow: its row and ledger, its effects through the journal, its questions to people. Deterministic.

`async with Run(ticket, tools=[…]) as run:` opens it and, at the end, writes how it ended. Inside, `run.call(…)` calls a tool and sagas
(`workflows/code_sagas.py`) undo what was done. The same courier, journal and human tasks serve it as serve runs of definitions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import ApplicationError, CancelledError, FailureError

from activities.code_runs import OpenRunRequest, code_sha256
from domain.budget import BudgetRule
from domain.code_labels import CodeLabels
from domain.completion import TaskCompletion
from domain.errors import CompensatedByHand, RunCancelled
from domain.expressions import ENGINE
from domain.ids import format_id
from domain.labels import Label, input_labels, merged, untrusted
from domain.ledger import Kind
from domain.model import Wire
from domain.pinned_agents import PinnedAgent, tools_for_others
from domain.program import CallStep, PinnedTool, Program, RetryRule, SetStep
from domain.projection import unproject
from domain.recorder import Recorder
from domain.runs import Projection, RunStatus
from domain.state import (
    AskApproval,
    AskPerson,
    CallTool,
    Decided,
    Done,
    Failed,
    Failure,
    Outcome,
    RunContext,
    State,
    StepRecord,
    StepStatus,
    Tick,
)
from domain.step_entry import complete_step, fail_step
from workflows.couriers import now_text
from workflows.effects import EffectRunner
from workflows.messages import COMPENSATE, COMPLETE_TASK, RunInput, RunState
from workflows.opening import OpeningCourier, failure_error
from workflows.people import People, shown
from workflows.renewals import Renewal
from workflows.reviews import answer_reviewers
from workflows.run_tickets import RunTicket

T = TypeVar("T")


class Call(Wire):
    """One tool call."""

    tool: str
    arguments: Mapping[str, JsonValue] = {}


class Run:
    """One run. A step's path is the names around it and its own, joined by dots."""

    def __init__(
        self,
        ticket: RunTicket,
        *,
        tools: Sequence[str] = (),
        agents: Sequence[str] = (),
        version: str = "1.0.0",
        budget: BudgetRule | None = None,
        restart_with: Sequence[object] | None = None,
        given: Mapping[str, object] | None = None,
    ) -> None:
        """Describe the run; nothing is opened yet.

        Args:
            ticket: Whose it is.
            tools: Those that it calls, in compensations too, as `name` or `name@range`; they are pinned when it opens.
            agents: Registered agents that it runs, in the same form; those that they work with come along, and the tools of all.
            version: The workflow's own.
            budget: What the whole run may use.
            restart_with: The workflow's arguments after the ticket. With them a run with a long history goes on in a new execution, between
                two turns of an agent or two calls; the workflow then begins at its top, and steps that are done give what they gave.
            given: What the workflow may name whatever the run reads: its arguments, and constants of its code, by name. An exact copy of
                a part of one of these, or of `restart_with`, needs no person; short texts and numbers only under the same name.
        """
        definition = workflow.info().workflow_type
        carried = ticket.carried
        sha256 = carried.sha256 if carried is not None else code_sha256(definition, version)
        self.ticket = ticket
        self.program = Program(name=definition, version=version, sha256=sha256, expression_engine=ENGINE, steps=[], budget=budget)
        self.agents: dict[str, PinnedAgent] = dict(carried.agents) if carried is not None else {}
        self.state = State.model_validate(carried.state) if carried is not None else State()
        self.state.epoch = ticket.epoch
        self.earlier = set(self.state.steps)
        self.renewal = Renewal(self, restart_with)
        opening = RunInput(
            run=ticket.run,
            tenant=ticket.tenant,
            epoch=ticket.epoch,
            principal=ticket.principal,
            correlation_id=ticket.correlation_id,
            program=self.program,
        )
        self._context = RunContext(tenant=ticket.tenant, run=ticket.run, principal=ticket.principal, input=None)
        self.courier = OpeningCourier(opening, self.state)
        self._people = People(self.courier, [], self._note)
        self.effects = EffectRunner(self.program, self.courier, self._people)
        self._tools, self._agents = list(tools), list(agents)
        self.called: set[str] = set(carried.called) if carried is not None else set()
        began = merged(ticket.labels, *input_labels(ticket.principal, ()).values())
        self.labels = CodeLabels(self.program, self.state, self.called, began=began, given=[given or {}, *(restart_with or ())])
        self._main: asyncio.Task[object] | None = None
        self._at_end: list[Callable[[], Awaitable[None]]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to end."""
        return self._people.cancelled

    @property
    def recorder(self) -> Recorder:
        """What notes facts at this moment."""
        return Recorder(self.program, self._context, self.state, Tick(now=now_text(), entropy=workflow.uuid4().hex))

    async def __aenter__(self) -> Self:
        """Open the run."""
        self._main = asyncio.current_task()
        workflow.set_signal_handler(COMPLETE_TASK, self._complete_task)  # pyright: ignore[reportUnknownMemberType] - the SDK leaves its type argument open
        workflow.set_signal_handler(COMPENSATE, self._compensate)  # pyright: ignore[reportUnknownMemberType] - as above
        answer_reviewers(self._people, run_state=self._run_state)
        carried = self.ticket.carried
        if carried is not None:
            self.program.tools.update(carried.tools)
            return self
        about: dict[str, JsonValue] = {"definition": self.program.name, "version": self.program.version, "sha256": self.program.sha256}
        self.recorder.fact(Kind.RUN_STARTED, data=about)
        asked = {"definition": self.program.name, "version": self.program.version, "tools": self._tools, "agents": self._agents}
        receipt = await self.courier.open(OpenRunRequest.model_validate(asked))
        tools, agents = receipt.fields["tools"], receipt.fields.get("agents")
        self.program.tools.update(
            {name: PinnedTool.model_validate(tool) for name, tool in tools.items()} if isinstance(tools, dict) else {}
        )
        self.agents.update({name: PinnedAgent.model_validate(agent) for name, agent in agents.items()} if isinstance(agents, dict) else {})
        self.program.tools.update(tools_for_others(self.agents))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write how the run ended; a bug (any exception that is no failure of Temporal's) leaves it open, for the task to be retried.

        Raises:
            ApplicationError: an operator asked for its compensations.
        """
        del kind, trace
        if error is not None and not is_business(error):
            return
        if error is not None:
            for undo in reversed(self._at_end):
                await self.shielded(undo())
        await self.shielded(self._finish(error))
        if error is not None and self.state.by_hand:
            raise ApplicationError("an operator asked for its compensations", type=CompensatedByHand.code, non_retryable=True) from error

    async def _finish(self, error: BaseException | None) -> None:
        status, code, detail = RunStatus.SUCCEEDED, "", ""
        if self.state.by_hand and error is not None:
            status, code, detail = RunStatus.FAILED, CompensatedByHand.code, "an operator asked for its compensations"
        elif isinstance(error, asyncio.CancelledError | CancelledError):
            status, code, detail = RunStatus.CANCELLED, RunCancelled.code, "the run was asked to end"
        elif error is not None:
            code = error.type if isinstance(error, ApplicationError) and error.type else "step-failed"
            status, detail = RunStatus.FAILED, str(error)[:500]
        facts: dict[str, JsonValue] = {"facts": self.state.fact_seq + 1, "last_digest": self.state.last_fact_digest}
        self.recorder.fact(Kind.RUN_FINISHED, data={"status": status.value, "code": code, **facts})
        told = {"code": code, "detail": detail, "step": ""} if code else None
        await self.courier.flush(Projection(status=status, error=told, usage=self.state.usage), f"{status.value}: write the result")

    def at_end(self, undo: Callable[[], Awaitable[None]]) -> None:
        """Have something undone if the run fails after all; it stays in this execution, which knows how."""
        self.renewal.hold()
        self._at_end.append(undo)

    async def call(self, name: str, call: Call, *, retry: RetryRule | None = None) -> JsonValue:
        """Call a tool outside of a saga and return its output.

        Raises:
            failure_error: an ApplicationError: it failed for good; its type is the failure's code.
        """
        if self.done_before(name):
            return self.output(name)
        await self.renewal.breathe()
        outcome = await self.perform(self.command(CallStep(path=name, tool=call.tool, retry=retry), call.arguments, deadline=None))
        if isinstance(outcome, Failed):
            raise failure_error(outcome.failure)
        return self.output(name)

    def done_before(self, path: str) -> bool:
        """Whether an execution before this one did the step, and nobody has asked for it in this one.

        Raises:
            failure_error: an ApplicationError: it failed then.
        """
        if path not in self.earlier:
            return False
        record = self.state.steps[path]
        if record.status is StepStatus.ENTERED:
            return False
        self.earlier.discard(path)
        if record.failure is not None:
            raise failure_error(record.failure)
        return True

    def command(self, step: CallStep, arguments: Mapping[str, JsonValue], *, deadline: str | None) -> CallTool:
        """Enter a step and return its call; nothing is asked for yet.

        Raises:
            ValueError: the step was there before, or its tool was not named when the run was made.
        """
        if step.path in self.state.steps:
            raise ValueError(f"two steps of this run are named {step.path}: give each its own name")
        if step.tool not in self.program.tools:
            raise ValueError(f"the tool {step.tool} of {step.path} is not among the tools of this run: name it in Run(tools=[…])")
        self.state.steps[step.path] = StepRecord(status=StepStatus.ENTERED, deadline=deadline)
        recorder = self.recorder
        recorder.fact(Kind.STEP_ENTERED, step=step.path, data={"keyword": step.kind})
        tool = self.program.tools[step.tool]
        known = {
            field: getattr(tool, field) for field in ("version", "effect_class", "retry_class", "timeout_s", "heartbeat_s", "max_attempts")
        }
        return CallTool(
            id=recorder.command_id(step.path, "call"),
            step=step.path,
            visit=1,
            call="call",
            tool=step.tool,
            arguments=dict(arguments),
            cost_usd_micros=tool.cost_usd_micros,
            retry=step.retry,
            deadline=deadline,
            project=[""],
            pivot=step.pivot,
            forward=step.forward,
            summary=f"{step.path}: {step.tool}",
            policy=self.labels.of_call(tool, arguments),
            **known,
        )

    async def perform(self, command: CallTool) -> Outcome:
        """Make a call to its end; a cancellation of the run stops it where it may be stopped, and never leaves it behind."""
        with self.renewal.held():
            return await self._performed(command)

    async def _performed(self, command: CallTool) -> Outcome:
        step = CallStep(path=command.step, tool=command.tool)
        while True:
            outcome = await self.shielded(self.effects.run(command))
            if isinstance(outcome, Failed) and outcome.failure.code == "effect-superseded" and command.forward:
                visit = command.visit + 1
                self.state.steps[command.step].visit = visit
                command = command.model_copy(update={"visit": visit, "id": f"{command.step}#{visit}/call"})
                continue
            break
        self.called.add(command.tool)
        if isinstance(outcome, Done):
            self.state.usage = self.state.usage + outcome.receipt.usage
            complete_step(self.recorder, step, fields=outcome.receipt.fields, ref=outcome.receipt.ref, digest=outcome.receipt.digest)
        elif isinstance(outcome, Failed):
            fail_step(self.recorder, step, outcome.failure)
        return outcome

    def budget(self, path: str, rule: BudgetRule | None) -> None:
        """Bound what a step, and the steps inside it, may use."""
        self.courier.cap(path, rule)

    def seen(self) -> list[Label]:
        """Return where all that the run has read until now comes from: what a hand-written workflow passes on may hold any of it."""
        return self.labels.seen()

    def reads(self, source: str) -> None:
        """Say that the workflow reads what the run does not see, such as a signal or an activity of its own: that is untrusted."""
        self.called.add(f"outside:{source}")

    def output(self, step: str) -> JsonValue:
        """Return what a step that is done gave."""
        return unproject(self.state.steps[step].fields)

    async def shielded(self, work: Awaitable[T], *, on_cancel: Callable[[], object] | None = None) -> T:
        """Wait for work to its end; a cancellation meanwhile is remembered, and tells what runs to stop.

        Raises:
            CancelledError: the work itself was cancelled.
        """
        task = asyncio.ensure_future(work)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise
                self.cancel()
                if on_cancel is not None:
                    on_cancel()

    def cancel(self) -> None:
        """Remember that the run was asked to end, and tell what may be stopped to stop."""
        self._people.cancelled = True
        self.courier.cancel_effects()

    def close_step(self, path: str, failure: Failure | None, *, output: JsonValue = None) -> None:
        """Note how a step ended that is no call, and what it gave."""
        step = SetStep(path=path)
        if failure is None:
            complete_step(self.recorder, step, fields={} if output is None else {"": output}, ref=None, digest=None)
        else:
            fail_step(self.recorder, step, failure)

    def child_ticket(self) -> RunTicket:
        """Return the ticket of a child workflow's run."""
        run = format_id("run", workflow.uuid4().bytes)
        labels = [label for label in self.seen() if untrusted([label])]
        return self.ticket.model_copy(update={"run": run, "labels": labels, "epoch": 1, "carried": None})

    async def relieve(self) -> None:
        """Write the facts, where they have grown too heavy to ride along."""
        await self.courier.relieve()

    def _note(self, kind: Kind, *, step: str | None, principal: str | None, said: dict[str, JsonValue]) -> None:
        self.recorder.fact(kind, step=step, principal=principal, data=said)

    async def _complete_task(self, completion: TaskCompletion) -> None:
        try:
            await self._people.tasks.complete(completion)
        except ApplicationError as error:
            said: dict[str, JsonValue] = {"task": shown(completion.task), "code": error.type}
            self._note(Kind.TASK_REFUSED, step=None, principal=shown(completion.principal) or None, said=said)

    async def ask(self, command: AskApproval) -> Outcome:
        """Put a question to people, and return how it ended; what closes it is written by `tell_decision`, after it was taken."""
        decided = await self._people.ask(command)
        undecided = isinstance(decided, Decided) and decided.decided_by is None
        return self.effects.withdrawn(command) if self.cancelled and undecided else decided

    async def ask_person(self, command: AskPerson) -> Outcome:
        """Put an agent's question before people, and return what they answered."""
        return await self._people.tasks.ask_person(command, stopped=lambda: self.cancelled) or self.effects.withdrawn(command)

    async def tell_decision(self, command: AskApproval) -> None:
        """Close an approval in the inbox, with the facts about it."""
        await self._people.write_decision(command)

    def _run_state(self) -> RunState:
        return RunState(
            status=self.courier.status,
            epoch=self.state.epoch,
            waits_for=None,
            steps={path: record.status.value for path, record in self.state.steps.items()},
            approvals=list(self._people.approvals.values()),
            facts=self.state.fact_seq,
        )

    def _compensate(self) -> None:
        if not self.cancelled and self._main is not None and not self._main.done():
            self.state.by_hand = True
            self.recorder.fact(Kind.COMPENSATION_REQUESTED)
            self._main.cancel()


def is_business(error: BaseException) -> bool:
    """Whether an exception is a failure that undoes sagas; any other one is a bug, which stops the workflow task and undoes nothing."""
    return isinstance(error, FailureError | asyncio.CancelledError | TimeoutError)


def seconds_from_now(timeout: timedelta) -> str:
    """Return the instant so long from now, RFC 3339."""
    return (workflow.now() + timeout).isoformat(timespec="microseconds")
