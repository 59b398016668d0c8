"""The Temporal port on a real server, with a workflow that speaks the run's messages and does nothing else."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from api.temporal import UPDATE_CUT_OFF, TemporalRuns, refusal_of
from domain.approval import Decision
from domain.errors import ApprovalClosed, RunClosed, StaleDigest, StandfastError, Unavailable, error_classes
from domain.ids import format_id
from domain.program import Program
from domain.runs import RunStatus
from tests.servers.temporal import temporal_dev_server
from workflows.messages import TASK_QUEUE, DecisionResult, RunInput, RunResult, RunState, TaskCompletion

AT = "2026-01-05T09:30:00Z"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@workflow.defn(name="standfast.run.v1", sandboxed=False)
class SpeakingRun:
    """Waits; a decision with the digest `good` is taken, a task answered with give_up ends it."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._ended = False

    @workflow.run
    async def run(self, start: RunInput) -> RunResult:
        """Wait for the end."""
        self._said.extend(start.input_fields)
        await workflow.wait_condition(lambda: self._ended)
        return RunResult(status=RunStatus.SUCCEEDED)

    @workflow.update(name="decide_approval", unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def decide(self, decision: Decision) -> DecisionResult:
        """Take a decision; `slow` never answers."""
        await workflow.wait_condition(lambda: decision.comment != "slow")
        self._said.append(decision.decision_id)
        return DecisionResult(approval=decision.approval, decision=decision.verdict, decided_by=decision.principal, decided_at=AT)

    @decide.validator
    def check(self, decision: Decision) -> None:
        """Refuse by code, as the platform's run does."""
        if decision.digest != "good":
            raise ApplicationError("read it again", type=StaleDigest.code, non_retryable=True)

    @workflow.signal(name="approve")
    def approve(self, decision: Decision) -> None:
        """Remember it."""
        self._said.append(f"signal {decision.decision_id}")

    @workflow.signal(name="complete_task")
    def complete(self, completion: TaskCompletion) -> None:
        """End."""
        self._ended = completion.resolution == "give_up"

    @workflow.query(name="run_state")
    def state(self) -> RunState:
        """Show what was said."""
        return RunState(status=RunStatus.WAITING, epoch=1, waits_for=",".join(self._said), steps={}, approvals=[], facts=0)


def start_of(run: str, tenant: str = "default") -> RunInput:
    program = Program(name="delay-claim", version="1.0.0", sha256="0" * 64, expression_engine="none", steps=[])
    return RunInput(run=run, tenant=tenant, principal="prn_a", correlation_id="c", program=program)


def decision(digest: str = "good", *, comment: str = "") -> Decision:
    return Decision(
        decision_id=format_id("dec", secrets.token_bytes(16)),
        approval="apr_1",
        verdict="approve",
        digest=digest,
        principal="prn_b",
        comment=comment,
    )


async def decided_or_unavailable(runs: TemporalRuns) -> DecisionResult | None:
    """Decide; a server that is gone is either a timeout or unavailable, and both mean unknown."""
    try:
        return await runs.decide("default", "run_1", decision(), timeout_s=1)
    except Unavailable:
        return None


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="client")
async def _client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder: Path = tmp_path_factory.mktemp("temporal")
    async with temporal_dev_server(folder) as server:
        client = await Client.connect(server.address, data_converter=pydantic_data_converter)
        async with Worker(client, task_queue=TASK_QUEUE, workflows=[SpeakingRun]):
            yield client


class Bound:
    """A port that remembers which workflow was bound to which tenant."""

    def __init__(self, client: Client) -> None:
        self.tenants: dict[str, str] = {}
        self.runs = TemporalRuns(client, self.tenants.__setitem__)

    async def started(self) -> str:
        """Start a run and return its id."""
        run = format_id("run", secrets.token_bytes(16))
        await self.runs.start(start_of(run), summary="delay-claim 1.0.0")
        return run


class TestTemporalRuns:
    async def test_starts_once_with_summary_tenant_and_search_attributes(self, client: Client) -> None:
        bound = Bound(client)
        run = await bound.started()
        before = await bound.runs.describe("default", run)
        await bound.runs.start(start_of(run), summary="again")
        shown = await client.get_workflow_handle(run).describe()
        words = [
            shown.typed_search_attributes.get(SearchAttributeKey.for_keyword(name)) for name in ("TenantId", "Definition", "RunStatus")
        ]
        assert before == await bound.runs.describe("default", run)
        assert await shown.static_summary() == "delay-claim 1.0.0"
        assert words == ["default", "delay-claim", "running"]
        assert bound.tenants == {run: "default"}

    async def test_starts_a_closed_run_no_second_time(self, client: Client) -> None:
        bound = Bound(client)
        run = await bound.started()
        await bound.runs.complete_task("default", run, TaskCompletion(task="tsk_1", resolution="give_up"))
        await client.get_workflow_handle(run).result()
        first = await bound.runs.describe("default", run)
        await bound.runs.start(start_of(run), summary="again")
        assert first == await bound.runs.describe("default", run)
        assert first is not None
        assert (first.status, first.closed) == ("completed", True)

    async def test_takes_a_decision_once_under_its_id(self, client: Client) -> None:
        bound, said = Bound(client), decision()
        run = await bound.started()
        first, again = [await bound.runs.decide("default", run, said, timeout_s=10) for _ in range(2)]
        assert first == again == DecisionResult(approval="apr_1", decision="approve", decided_by="prn_b", decided_at=AT)
        assert (await bound.runs.state("default", run)).waits_for == said.decision_id

    async def test_raises_the_runs_own_refusal(self, client: Client) -> None:
        bound = Bound(client)
        run = await bound.started()
        with pytest.raises(StaleDigest, match="read it again"):
            await bound.runs.decide("default", run, decision("bad"), timeout_s=10)

    async def test_calls_no_answer_in_time_unknown(self, client: Client) -> None:
        bound = Bound(client)
        run = await bound.started()
        assert await bound.runs.decide("default", run, decision(comment="slow"), timeout_s=1) is None

    async def test_sends_the_approve_signal(self, client: Client) -> None:
        bound, said = Bound(client), decision()
        run = await bound.started()
        await bound.runs.approve("default", run, said)
        assert (await bound.runs.state("default", run)).waits_for == f"signal {said.decision_id}"

    async def test_cancels(self, client: Client) -> None:
        bound = Bound(client)
        run = await bound.started()
        await bound.runs.cancel("default", run)
        await asyncio.wait([asyncio.ensure_future(client.get_workflow_handle(run).result())])
        shown = await bound.runs.describe("default", run)
        assert shown is not None
        assert shown.status == "canceled"

    async def test_knows_no_run_that_was_never_started(self, client: Client) -> None:
        bound = Bound(client)
        run = format_id("run", secrets.token_bytes(16))
        assert await bound.runs.describe("default", run) is None
        asks: list[Callable[[], object]] = [
            lambda: bound.runs.cancel("default", run),
            lambda: bound.runs.state("default", run),
            lambda: bound.runs.approve("default", run, decision()),
            lambda: bound.runs.decide("default", run, decision(), timeout_s=5),
            lambda: bound.runs.complete_task("default", run, TaskCompletion(task="tsk_1", resolution="give_up")),
        ]
        for ask in asks:
            with pytest.raises(RunClosed):
                await ask()  # pyright: ignore[reportGeneralTypeIssues]  # each returns another awaitable

    async def test_refuses_a_decision_on_an_ended_run(self, client: Client) -> None:
        bound = Bound(client)
        run = await bound.started()
        await bound.runs.complete_task("default", run, TaskCompletion(task="tsk_1", resolution="give_up"))
        await client.get_workflow_handle(run).result()
        with pytest.raises((RunClosed, ApprovalClosed)):
            await bound.runs.decide("default", run, decision(), timeout_s=5)

    async def test_cut_off_by_the_runs_end_is_approval_closed(self, client: Client) -> None:
        bound = Bound(client)
        run = await bound.started()
        asked = asyncio.create_task(bound.runs.decide("default", run, decision(comment="slow"), timeout_s=20))
        await self.accepted_update(client, run)
        await bound.runs.complete_task("default", run, TaskCompletion(task="tsk_1", resolution="give_up"))
        with pytest.raises((RunClosed, ApprovalClosed)):
            await asked

    async def accepted_update(self, client: Client, run: str) -> None:
        """Wait until the run's history holds an accepted update."""
        async for event in client.get_workflow_handle(run).fetch_history_events(wait_new_event=True):
            if event.HasField("workflow_execution_update_accepted_event_attributes"):
                return


class TestServerThatIsDown:
    async def test_is_unavailable_and_decides_nothing(self, tmp_path: Path) -> None:
        async with temporal_dev_server(tmp_path) as server:
            client = await Client.connect(server.address, data_converter=pydantic_data_converter)
        runs = TemporalRuns(client, dict[str, str]().__setitem__, rpc_timeout=timedelta(seconds=1))
        with pytest.raises(Unavailable):
            await runs.start(start_of("run_1"), summary="delay-claim")
        with pytest.raises(Unavailable):
            await runs.describe("default", "run_1")
        assert await decided_or_unavailable(runs) is None


class TestRefusalOf:
    @pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.code)
    async def test_is_the_error_of_that_code(self, error: type[StandfastError]) -> None:
        refused = refusal_of(WorkflowUpdateFailedError(ApplicationError("because", type=error.code)))
        assert (type(refused), refused.detail) == (error, "because")

    @pytest.mark.parametrize("kind", [None, "ValueError", UPDATE_CUT_OFF])
    async def test_of_another_kind_is_a_failure_of_ours(self, kind: str | None) -> None:
        assert refusal_of(WorkflowUpdateFailedError(ApplicationError("because", type=kind))).status == 500
