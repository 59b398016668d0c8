"""What models said, read again from where their calls' outcomes are stored."""

from domain.errors import ReferenceMissing
from domain.provider import Message
from domain.stores import PayloadStore


async def stored_reply(payloads: PayloadStore, tenant: str, ref: str) -> Message:
    """Return a model's reply by the reference of its call's outcome.

    Raises:
        ReferenceMissing: nothing is stored there, or no model's outcome.
    """
    reply = Message.stored_in(await payloads.get(tenant, ref))
    if reply is None:
        raise ReferenceMissing(f"no model's reply is stored under {ref}")
    return reply
