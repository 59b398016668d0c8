"""The Temporal payload codec: every payload, failure, summary and memo is sealed for its tenant and its workflow.

Payload metadata in clear: `encoding` (`binary/encrypted`), `encryption-key-id`, `tenant`, `workflow-id`. Tenant and workflow id are
authenticated, so decoding works without a serialization context (codec server), and with one it refuses a payload that was moved
to another workflow. Payloads that are not encrypted pass through when decoding: people send such signals with Temporal's own tools.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from adapters.codec.cipher import TenantCipher
from adapters.codec.tenants import TenantRegistry
from domain.errors import ReferenceMissing

ENCODING = b"binary/encrypted"
"""The name Temporal's samples and Web UI use for encrypted payloads."""

TENANT_KEY = "tenant"
WORKFLOW_KEY = "workflow-id"
KEY_ID_KEY = "encryption-key-id"


class TemporalCodec(PayloadCodec, WithSerializationContext):
    """Seals payloads with `cipher`; `tenants` says whose workflow the context names. The SDK sets `workflow_id` by `with_context`."""

    def __init__(self, cipher: TenantCipher, tenants: TenantRegistry, *, workflow_id: str | None = None) -> None:
        self._cipher = cipher
        self._tenants = tenants
        self._workflow_id = workflow_id

    def with_context(self, context: SerializationContext) -> Self:
        """Return this codec for one workflow; contexts that name none leave it unbound."""
        workflow_id = context.workflow_id if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext) else None
        return type(self)(self._cipher, self._tenants, workflow_id=workflow_id or None)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal payloads for the workflow of the context.

        Raises:
            StandfastError: no tenant is known for it.
            BodyTooLarge: a payload exceeds 64 MiB.
        """
        workflow_id = self._workflow_id or ""
        tenant = self._tenants.tenant_of(workflow_id)
        return [self.seal(payload, tenant, workflow_id) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open sealed payloads and learn whose workflow it is; others pass through.

        Raises:
            ReferenceMissing: the key is gone, or the payload was changed or belongs to another workflow.
            Forbidden: the workflow is known as another tenant's.
        """
        return [self._decoded(payload) if is_sealed(payload) else payload for payload in payloads]

    def seal(self, payload: Payload, tenant: str, workflow_id: str) -> Payload:
        """Seal one payload for a named tenant and workflow.

        Raises:
            BodyTooLarge: it exceeds 64 MiB.
        """
        metadata = {
            "encoding": ENCODING,
            KEY_ID_KEY: self._cipher.current_key_id(tenant).encode("ascii"),
            TENANT_KEY: tenant.encode(),
            WORKFLOW_KEY: workflow_id.encode(),
        }
        return Payload(metadata=metadata, data=self._cipher.seal(tenant, _place(workflow_id), payload.SerializeToString()))

    def _decoded(self, payload: Payload) -> Payload:
        """Check that the payload belongs here, open it, and bind its workflow.

        Raises:
            ReferenceMissing: it was changed, or belongs to another workflow.
        """
        tenant, workflow_id = owner_of(payload)
        if self._workflow_id is not None and workflow_id != self._workflow_id:
            raise ReferenceMissing(f"a payload of workflow {workflow_id!r} was found in workflow {self._workflow_id!r}")
        plain = self._cipher.open(tenant, _place(workflow_id), payload.data)
        if self._workflow_id is not None:
            self._tenants.bind(workflow_id, tenant)
        try:
            return Payload.FromString(plain)
        except DecodeError as error:
            raise ReferenceMissing(f"a payload of workflow {workflow_id!r} does not hold a Temporal payload") from error


def is_sealed(payload: Payload) -> bool:
    """Tell whether the payload is encrypted by this codec."""
    return payload.metadata.get("encoding") == ENCODING


def owner_of(payload: Payload) -> tuple[str, str]:
    """Return (tenant, workflow id) that a sealed payload claims; opening it proves the claim.

    Raises:
        ReferenceMissing: it names none.
    """
    tenant, workflow_id = payload.metadata.get(TENANT_KEY), payload.metadata.get(WORKFLOW_KEY)
    if not tenant or workflow_id is None:
        raise ReferenceMissing("an encrypted payload does not name its tenant and workflow")
    return tenant.decode(errors="replace"), workflow_id.decode(errors="replace")


@dataclass(frozen=True)
class SealingDataConverter(DataConverter):
    """A data converter of which only the codec depends on the workflow.

    The SDK asks for one per workflow, activity and payload, and its own way builds all converters anew each time: a tenth of a step's
    time on our side.
    """

    def with_context(self, context: SerializationContext) -> Self:
        """Return a copy whose codec serves one workflow; the other converters are shared."""
        if not isinstance(self.payload_codec, WithSerializationContext):
            return self
        bound = copy.copy(self)
        object.__setattr__(bound, "payload_codec", self.payload_codec.with_context(context))
        return bound


def build_data_converter(codec: TemporalCodec) -> DataConverter:
    """Return the platform's data converter: pydantic models as JSON, sealed, failure messages and stack traces as well."""
    return SealingDataConverter(
        payload_converter_class=pydantic_data_converter.payload_converter_class,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def _place(workflow_id: str) -> str:
    """Name the workflow's payloads as a place of the cipher."""
    return f"temporal:{workflow_id}"
