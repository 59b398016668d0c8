"""A worker's codec keeps few workflows in mind: one that it forgot, while the workflow stayed in its cache, is learned again."""

from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from adapters.codec.cipher import TenantCipher
from adapters.codec.temporal_codec import TemporalCodec, build_data_converter
from adapters.codec.tenants import TenantRegistry

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = bytes(range(32))


@workflow.defn(name="waiter", sandboxed=False)
class Waiter:
    """Waits, and then says whose it is: its last task has nothing to decode, and something to encode."""

    @workflow.run
    async def run(self, word: str) -> str:
        """Wait a second."""
        await workflow.sleep(timedelta(seconds=1))
        return f"{word}, a second later"


def client_with(env: WorkflowEnvironment, tenants: TenantRegistry) -> Client:
    """Return a client of the test's server whose payloads are encrypted."""
    converter = build_data_converter(TemporalCodec(TenantCipher(KEY), tenants))
    return Client(env.client.service_client, namespace=env.client.namespace, data_converter=converter)


class TestAForgottenTenant:
    async def test_is_learned_again_by_a_replay(self, temporal: WorkflowEnvironment) -> None:
        known, forgetful = TenantRegistry(), TenantRegistry(capacity=1)
        client, queue, names = client_with(temporal, known), str(uuid4()), [str(uuid4()) for _ in range(3)]
        async with Worker(client_with(temporal, forgetful), task_queue=queue, workflows=[Waiter]):
            for name in names:
                known.bind(name, "acme")
                await client.start_workflow("waiter", name, id=name, task_queue=queue)
            answers = [await client.get_workflow_handle(name, result_type=str).result() for name in names]
            histories = [await client.get_workflow_handle(name).fetch_history() for name in names]
        assert any(event.HasField("workflow_task_failed_event_attributes") for one in histories for event in one.events)
        assert answers == [f"{name}, a second later" for name in names]
