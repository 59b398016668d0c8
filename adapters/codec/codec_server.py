"""What the Web UI's codec endpoint answers: proto3 JSON `Payloads` in, the same out. No HTTP here; the gateway has the routes."""

from collections.abc import Callable

from google.protobuf import json_format
from temporalio.api.common.v1 import Payloads

from adapters.codec.temporal_codec import TemporalCodec, is_sealed, owner_of
from domain.errors import BadRequest, Forbidden


async def decode_body(codec: TemporalCodec, body: bytes, may_read: Callable[[str], bool]) -> bytes:
    """Return the body with its payloads opened; `may_read(tenant)` is asked for each sealed one before any is opened.

    Raises:
        BadRequest: the body is not proto3 JSON of `Payloads`.
        Forbidden: the caller may not read a tenant's payloads.
        ReferenceMissing: a payload cannot be opened.
    """
    payloads = _parsed(body)
    for tenant in {owner_of(payload)[0] for payload in payloads.payloads if is_sealed(payload)}:
        if not may_read(tenant):
            raise Forbidden("this principal may not read these payloads")
    return _rendered(Payloads(payloads=await codec.decode(payloads.payloads)))


def encode_body(codec: TemporalCodec, body: bytes, *, tenant: str, workflow_id: str) -> bytes:
    """Return the body with its payloads sealed for one workflow of the caller's tenant.

    Raises:
        BadRequest: the body is not proto3 JSON of `Payloads`, or no workflow is named.
    """
    if not workflow_id:
        raise BadRequest("name the workflow these payloads are for: a sealed payload is bound to one workflow")
    payloads = _parsed(body)
    return _rendered(Payloads(payloads=[codec.seal(payload, tenant, workflow_id) for payload in payloads.payloads]))


def _parsed(body: bytes) -> Payloads:
    """Parse proto3 JSON.

    Raises:
        BadRequest: it is something else.
    """
    try:
        return json_format.Parse(body, Payloads())
    except (json_format.ParseError, ValueError, AttributeError) as error:  # a list at the top is an AttributeError inside protobuf
        raise BadRequest(f"the body is not a list of Temporal payloads: {error}") from error


def _rendered(payloads: Payloads) -> bytes:
    """Render proto3 JSON."""
    return json_format.MessageToJson(payloads, indent=None).encode()
