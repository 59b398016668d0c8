"""A codec server that shows what it was asked: `{"tenant": …}` stands for a sealed payload of that tenant."""

import json
from collections.abc import Callable

from domain.errors import BadRequest, Forbidden


class FakeCodecServer:
    """Opens by taking the seal off, seals by putting it on."""

    async def decode(self, body: bytes, may_read: Callable[[str], bool]) -> bytes:
        """Refuse what may not be read."""
        asked = json.loads(body)
        if not may_read(asked["tenant"]):
            raise Forbidden("this principal may not read these payloads")
        return json.dumps({"opened": asked["tenant"]}).encode()

    async def encode(self, body: bytes, *, tenant: str, workflow_id: str) -> bytes:
        """Refuse what names no workflow."""
        if not workflow_id:
            raise BadRequest("name the workflow these payloads are for")
        return json.dumps({"sealed": json.loads(body), "tenant": tenant, "for": workflow_id}).encode()
