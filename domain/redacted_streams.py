"""Model answers on their way to watchers, without secrets: what may be the beginning of one waits for what follows. Pure."""

from domain.deltas import DeltaSink, DeltaStream, StreamKey
from domain.known_secrets import KnownSecrets
from domain.provider import CompletionReply, Delta
from domain.redaction import RedactedStream, Redactor


class RedactedDeltas:
    """Implements `DeltaSink` before another one; while no secret of the tenant is known it stands aside."""

    def __init__(self, inner: DeltaSink, known: KnownSecrets) -> None:
        self._inner = inner
        self._known = known

    def open(self, key: StreamKey) -> DeltaStream:
        """Return the stream of one attempt."""
        stream, redactor = self._inner.open(key), self._known.of(key.tenant)
        return _Redacted(stream, redactor) if redactor else stream


class _Redacted:
    """One attempt's stream; each place of the answer (its text, its reasoning, a tool's arguments) is a text of its own."""

    def __init__(self, inner: DeltaStream, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor
        self._text = RedactedStream(redactor)
        self._last: Delta | None = None

    async def write(self, delta: Delta) -> None:
        """Take a piece; a piece of another place ends the one before."""
        if self._last is not None and (self._last.kind, self._last.index) != (delta.kind, delta.index):
            await self._end()
        self._last = delta
        text = self._text.take(delta.text)
        name = delta.name if delta.name is None else self._redactor.text(delta.name)
        if text or name is not None:
            await self._inner.write(delta.model_copy(update={"text": text, "name": name}))

    async def restart(self) -> None:
        """Forget what waits: it is void with the rest."""
        self._text, self._last = RedactedStream(self._redactor), None
        await self._inner.restart()

    async def close(self) -> None:
        """Tell what waits, and close."""
        await self._end()
        await self._inner.close()

    async def _end(self) -> None:
        rest = self._text.end()
        if rest and self._last is not None:
            await self._inner.write(self._last.model_copy(update={"text": rest, "name": None}))
        self._text = RedactedStream(self._redactor)


def redacted_reply(reply: CompletionReply, tenant: str, known: KnownSecrets) -> CompletionReply:
    """Return a model's reply without any secret of the tenant, in its text and in the arguments of its calls."""
    told = reply.model_dump(mode="json")
    clean = known.value(tenant, told)
    return reply if clean is told else CompletionReply.model_validate(clean)
