"""Histories of `standfast.delivery.v1`: each branch runs live and is replayed at once; kept ones replay against the code as it is now."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from domain.deliveries import DELIVERY_WORKFLOW, DeliveryInput, DeliveryState
from tests.replay.recorded import HISTORIES
from tests.replay.test_recording import keep
from tests.servers.webhook_sink import Said, WebhookSink
from tests.workflows.bench import Bench
from tests.workflows.delivery_bench import DeliveryHouse
from workflows.delivery import DeliveryWorkflow

FOLDER = HISTORIES / "deliveries"
BRANCHES: dict[str, list[Said]] = {
    "delivered": [],
    "retried": [Said(500), Said(429, {"retry-after": "1"}), Said(503)],
    "dead": [Said(500)] * 4,
    "gone": [Said(410)],
}
"""What the endpoint answers; 204 when that is used up."""


@workflow.defn(name=DELIVERY_WORKFLOW, sandboxed=False)
class HastyDelivery(DeliveryWorkflow):
    """A changed workflow: it waits before its first attempt, as no delivery before did."""

    @workflow.run
    async def run(self, start: DeliveryInput) -> str:
        """Wait, then run."""
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(start)


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    """The endpoint."""
    with WebhookSink() as running:
        yield running


def replayer(cls: type) -> Replayer:
    """Build a replayer."""
    return Replayer(workflows=[cls], data_converter=pydantic_data_converter)


def load(name: str) -> WorkflowHistory:
    """Read a kept history."""
    return WorkflowHistory.from_json(f"dlv_{name}", (FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", BRANCHES)
async def test_a_branch_replays_as_it_ran(name: str, bench: Bench, sink: WebhookSink) -> None:
    house = DeliveryHouse(bench)
    webhook, _ = await house.subscribe(sink.url)
    sink.answers.extend(BRANCHES[name])
    await house.accept()
    async with house.delivering() as relay:
        await relay.round()
        state = DeliveryState.DEAD if name in ("dead", "gone") else DeliveryState.DELIVERED
        [row] = await house.ends(webhook, state)
        handle = bench.env.client.get_workflow_handle(row.delivery)
        assert await handle.result() == state
        history = await handle.fetch_history()
    await replayer(DeliveryWorkflow).replay_workflow(history)
    path = FOLDER / f"{name}.json"
    if not path.exists():
        keep(path, history)


class TestKeptHistory:
    @pytest.mark.parametrize("name", BRANCHES)
    async def test_replays(self, name: str) -> None:
        await replayer(DeliveryWorkflow).replay_workflow(load(name))

    @pytest.mark.parametrize("name", BRANCHES)
    async def test_catches_a_changed_workflow(self, name: str) -> None:
        with pytest.raises(workflow.NondeterminismError):
            await replayer(HastyDelivery).replay_workflow(load(name))
