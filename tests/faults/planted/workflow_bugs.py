"""The run workflow with one bug each, as JOURNAL §1 and §9 name them; one variant is the real one whose worker crashes."""

from pydantic import JsonValue
from temporalio import workflow

from activities.options import FLUSH_OPTIONS
from activities.requests import DecisionRequest, FlushRequest
from activities.run_records import RunRecordActivities
from domain.envelope import Envelope, Receipt
from domain.ledger import Kind
from domain.runs import Projection
from domain.state import AskApproval, Command, Unwind
from tests.faults.planted.stepper_bugs import RegistersAfter
from workflows.couriers import Courier
from workflows.effects import EffectRunner
from workflows.enquiries import Enquiries
from workflows.messages import RUN_WORKFLOW, RunInput, RunResult
from workflows.people import People
from workflows.run import RunWorkflow

CRASHED: set[str] = set()
"""Runs whose workflow task has crashed already."""


class CrashingCourier(Courier):
    """The real courier; the worker crashes once, just after the first flush."""

    async def flush(self, projection: Projection, summary: str) -> None:
        """Flush, then crash.

        Raises:
            RuntimeError: once per run.
        """
        await super().flush(projection, summary)
        if self._given.run not in CRASHED:
            CRASHED.add(self._given.run)
            raise RuntimeError("this workflow task crashes, as the test wants it")


class LocalFlushCourier(CrashingCourier):
    """Flushes by a local activity, whose input is speculative until its workflow task completes; and crashes."""

    async def flush(self, projection: Projection, summary: str) -> None:
        """Flush, then crash.

        Raises:
            RuntimeError: once per run.
        """
        del summary
        request = FlushRequest(projection=projection, fact_seq=self._state.fact_seq)
        envelope = self.envelope(request.model_dump(mode="json"), deadline_s=30, project=[])
        receipt = await workflow.execute_local_activity_method(
            RunRecordActivities.flush_facts, envelope, start_to_close_timeout=FLUSH_OPTIONS["start_to_close_timeout"]
        )
        self.acknowledge(receipt.fact_head)
        if self._given.run not in CRASHED:
            CRASHED.add(self._given.run)
            raise RuntimeError("this workflow task crashes, as the test wants it")


class OnceCourier(Courier):
    """Sends each fact with the next activity only, whether it arrives or not."""

    def envelope(
        self, request: dict[str, JsonValue], *, step: str = "", visit: int = 1, call: str = "", deadline_s: float, project: list[str]
    ) -> Envelope:
        made = super().envelope(request, step=step, visit=visit, call=call, deadline_s=deadline_s, project=project)
        self._state.unacked = []
        return made


class TrustingEnquiries(Enquiries):
    """Asks nobody whether the reviewer still has the role."""

    async def check_decision(self, request: DecisionRequest, step: str) -> Receipt:
        """Say yes."""
        del request, step
        return Receipt(fields={"ok": True})


class _Variant(RunWorkflow):
    """The run workflow with another courier."""

    courier: type[Courier] = Courier
    enquiries: type[Enquiries] = Enquiries

    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._courier = self.courier(given, self.state)
        self._people = People(self._courier, self.state.decisions, self._note)
        self._people.enquiries = self.enquiries(self._courier)
        self._effects = EffectRunner(given.program, self._courier, self._people)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class CrashingRun(_Variant):
    """No bug: a crash."""

    courier = CrashingCourier

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class LocalFlushRun(_Variant):
    """Facts by local activities (JOURNAL §1.1), and the crash."""

    courier = LocalFlushCourier

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class FactOnceRun(_Variant):
    """A fact only on the next activity (JOURNAL §1.3)."""

    courier = OnceCourier

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class TrustingRun(_Variant):
    """Roles are not checked when the decision is handled (JOURNAL §9)."""

    enquiries = TrustingEnquiries

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class HastyRun(_Variant):
    """Continues as new while an update is being answered (JOURNAL §9)."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)

    async def _maybe_continue_as_new(self, commands: list[Command]) -> None:
        long = workflow.info().get_current_history_length() > (self._given.history_max or 0)
        quiet = len(self.state.pending) == len(commands) and not self._running
        if long and quiet and not any(isinstance(command, Unwind | AskApproval) for command in commands):
            carried = self.state.model_dump(mode="json")
            workflow.continue_as_new(self._given.model_copy(update={"epoch": self.state.epoch + 1, "state": carried}))


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class UnnotedVotesRun(RunWorkflow):
    """Decisions that leave their approval open are told to nobody."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)

    def _note(self, kind: Kind, *, step: str | None, principal: str | None, said: dict[str, JsonValue]) -> None:
        if not kind.startswith("human:approval:"):
            super()._note(kind, step=step, principal=principal, said=said)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class LateCompensationRun(RunWorkflow):
    """Compensations are registered when their step is done (JOURNAL §2)."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._stepper = RegistersAfter(self._stepper.program, self._stepper.run, self._stepper.state)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)
