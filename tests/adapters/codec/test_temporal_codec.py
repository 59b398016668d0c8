"""The Temporal codec, driven through the data converter the SDK uses."""

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import ActivitySerializationContext, DataConverter, NexusSerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from adapters.codec.cipher import TenantCipher
from adapters.codec.temporal_codec import TemporalCodec, build_data_converter
from adapters.codec.tenants import TenantRegistry
from domain.errors import Forbidden, ReferenceMissing, StandfastError

MASTER = bytes(range(32))


class Claim(BaseModel):
    """A payload with something to hide."""

    passenger: str
    delay_min: int


CLAIM = Claim(passenger="Ada Lovelace", delay_min=190)


def converter_of(tenants: TenantRegistry) -> DataConverter:
    """Build the platform's converter over a registry."""
    return build_data_converter(TemporalCodec(TenantCipher(MASTER), tenants))


def in_workflow(workflow_id: str, tenants: TenantRegistry) -> DataConverter:
    """Return the converter as the SDK gives it for a workflow."""
    return converter_of(tenants).with_context(WorkflowSerializationContext(namespace="default", workflow_id=workflow_id))


def in_activity(workflow_id: str | None, tenants: TenantRegistry) -> DataConverter:
    """Return the converter as the SDK gives it for an activity of a workflow."""
    context = ActivitySerializationContext(
        namespace="default",
        activity_id="1",
        activity_type="standfast.call_tool",
        activity_task_queue="standfast",
        workflow_id=workflow_id,
        workflow_type="standfast.run.v1",
        is_local=False,
    )
    return converter_of(tenants).with_context(context)


@pytest.fixture
def gateway() -> TenantRegistry:
    tenants = TenantRegistry()
    tenants.bind("run_a", "acme")
    return tenants


class TestTemporalCodec:
    async def test_a_worker_reads_what_the_gateway_sent_and_answers(self, gateway: TenantRegistry) -> None:
        worker = TenantRegistry()
        sent = await in_workflow("run_a", gateway).encode([CLAIM])
        assert await in_workflow("run_a", worker).decode(sent, [Claim]) == [CLAIM]
        answer = await in_activity("run_a", worker).encode([CLAIM])
        assert await in_workflow("run_a", gateway).decode(answer, [Claim]) == [CLAIM]

    async def test_shows_only_key_tenant_and_workflow(self, gateway: TenantRegistry) -> None:
        [payload] = await in_workflow("run_a", gateway).encode([CLAIM])
        assert dict(payload.metadata) == {
            "encoding": b"binary/encrypted",
            "encryption-key-id": b"k1",
            "tenant": b"acme",
            "workflow-id": b"run_a",
        }
        assert b"Lovelace" not in payload.SerializeToString()

    async def test_decodes_without_a_context(self, gateway: TenantRegistry) -> None:
        sent = await in_workflow("run_a", gateway).encode([CLAIM])
        assert await converter_of(TenantRegistry()).decode(sent, [Claim]) == [CLAIM]

    async def test_refuses_a_payload_moved_to_another_workflow(self, gateway: TenantRegistry) -> None:
        sent = await in_workflow("run_a", gateway).encode([CLAIM])
        with pytest.raises(ReferenceMissing, match="payload of workflow 'run_a' was found in workflow 'run_b'"):
            await in_activity("run_b", TenantRegistry()).decode(sent)

    @pytest.mark.parametrize(("key", "value"), [("workflow-id", b"run_b"), ("tenant", b"other")])
    async def test_refuses_a_payload_that_claims_another_owner(self, gateway: TenantRegistry, key: str, value: bytes) -> None:
        [payload] = await in_workflow("run_a", gateway).encode([CLAIM])
        payload.metadata[key] = value
        with pytest.raises(ReferenceMissing, match="changed, or belongs to another place"):
            await converter_of(TenantRegistry()).decode([payload])

    @pytest.mark.parametrize("key", ["workflow-id", "tenant"])
    async def test_refuses_a_payload_without_an_owner(self, gateway: TenantRegistry, key: str) -> None:
        [payload] = await in_workflow("run_a", gateway).encode([CLAIM])
        del payload.metadata[key]
        with pytest.raises(ReferenceMissing, match="does not name its tenant and workflow"):
            await converter_of(TenantRegistry()).decode([payload])

    async def test_refuses_another_tenants_payload_in_a_known_workflow(self, gateway: TenantRegistry) -> None:
        sent = await in_workflow("run_a", gateway).encode([CLAIM])
        other = TenantRegistry()
        other.bind("run_a", "other")
        with pytest.raises(Forbidden):
            await in_workflow("run_a", other).decode(sent)

    async def test_learns_nothing_from_a_payload_it_could_not_open(self, gateway: TenantRegistry) -> None:
        [payload] = await in_workflow("run_a", gateway).encode([CLAIM])
        payload.data += b"!"
        worker = TenantRegistry()
        with pytest.raises(ReferenceMissing):
            await in_workflow("run_a", worker).decode([payload])
        with pytest.raises(StandfastError, match="no tenant is known"):
            worker.tenant_of("run_a")

    async def test_refuses_sealed_bytes_that_are_no_payload(self, gateway: TenantRegistry) -> None:
        [payload] = await in_workflow("run_a", gateway).encode([CLAIM])
        payload.data = TenantCipher(MASTER).seal("acme", "temporal:run_a", b"\xff\xff")
        with pytest.raises(ReferenceMissing, match="does not hold a Temporal payload"):
            await in_workflow("run_a", gateway).decode([payload])

    async def test_refuses_to_encode_for_an_unknown_workflow(self) -> None:
        with pytest.raises(StandfastError, match="no tenant is known for workflow 'run_x'"):
            await in_workflow("run_x", TenantRegistry()).encode([CLAIM])

    @pytest.mark.parametrize("workflow_id", [None, ""])
    async def test_refuses_to_encode_outside_of_a_workflow(self, workflow_id: str | None) -> None:
        with pytest.raises(StandfastError, match="outside of any workflow"):
            await in_activity(workflow_id, TenantRegistry()).encode([CLAIM])

    async def test_a_nexus_context_names_no_workflow(self) -> None:
        converter = converter_of(TenantRegistry(default_tenant="default"))
        [payload] = await converter.with_context(NexusSerializationContext("e", "s", "o")).encode([CLAIM])
        assert payload.metadata["workflow-id"] == b""

    async def test_passes_plain_payloads_through_when_decoding(self) -> None:
        plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"approve"')
        assert await in_workflow("run_a", TenantRegistry()).decode([plain]) == ["approve"]

    async def test_encrypts_messages_and_details_of_failures(self, gateway: TenantRegistry) -> None:
        failure = Failure()
        error = ApplicationError("no such passenger: Ada Lovelace", {"passenger": "Ada Lovelace"})
        await in_activity("run_a", gateway).encode_failure(error, failure)
        assert b"Lovelace" not in failure.SerializeToString()
        assert failure.message == "Encoded failure"
        decoded = await in_workflow("run_a", gateway).decode_failure(failure)
        assert isinstance(decoded, ApplicationError)
        assert (decoded.message, decoded.details) == ("no such passenger: Ada Lovelace", ({"passenger": "Ada Lovelace"},))

    async def test_leaves_a_summary_room_within_the_servers_limit(self, gateway: TenantRegistry) -> None:
        run = "run_" + "0" * 26
        gateway.bind(run, "a-tenant-with-the-longest-possible-slug--")
        [payload] = await in_workflow(run, gateway).encode(["x" * 160])
        assert payload.ByteSize() <= 400, "the server refuses a summary payload over 400 bytes"


class TestBuildDataConverter:
    def test_writes_pydantic_models_as_json(self) -> None:
        [payload] = converter_of(TenantRegistry()).payload_converter.to_payloads([CLAIM])
        assert payload.data == b'{"passenger":"Ada Lovelace","delay_min":190}'
