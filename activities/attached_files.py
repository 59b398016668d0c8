"""The files of a conversation's messages: read from their payloads for the time of one model call."""

from collections.abc import Awaitable, Callable

from pydantic import JsonValue

from domain.attachments import INPUT, AttachmentPlace, check_size, read_attachments
from domain.errors import ReferenceMissing
from domain.provider import Attachment, Message
from domain.stores import PayloadStore

InputOf = Callable[[str, str], Awaitable[JsonValue]]
"""Returns the input of a tenant's run."""


class AttachedFiles:
    """Reads the files of one run's messages; each payload once."""

    def __init__(self, tenant: str, run: str, *, payloads: PayloadStore, input_of: InputOf | None) -> None:
        self._tenant = tenant
        self._run = run
        self._payloads = payloads
        self._input_of = input_of
        self._read: dict[str, JsonValue] = {}

    async def at(self, place: AttachmentPlace) -> list[Attachment]:
        """Return the files at a place, with their bytes.

        Raises:
            InvalidInput: what lies there is no file.
            ReferenceMissing: its payload is gone.
        """
        return read_attachments(place, await self._payload(place.ref))

    async def shown(self, messages: list[Message]) -> list[Message]:
        """Return the messages with the bytes of what they show.

        Raises:
            InvalidInput: it is more than a model can be shown at once, or no file any more.
            ReferenceMissing: a payload is gone.
        """
        shown = [await self._message(message) for message in messages]
        check_size([one for message in shown for one in message.attachments])
        return shown

    async def _message(self, message: Message) -> Message:
        if not message.attachments:
            return message
        found: list[Attachment] = []
        for one in message.attachments:
            found += await self.at(AttachmentPlace(ref=one.ref, path=one.path))
        return message.model_copy(update={"attachments": found})

    async def _payload(self, ref: str) -> JsonValue:
        if ref not in self._read:
            self._read[ref] = await (self._given() if ref == INPUT else self._payloads.get(self._tenant, ref))
        return self._read[ref]

    async def _given(self) -> JsonValue:
        if self._input_of is None:
            raise ReferenceMissing("this worker cannot read the inputs of runs")
        return await self._input_of(self._tenant, self._run)
