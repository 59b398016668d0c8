"""An embedder of a test's own name and length, which can be made to fail."""

from domain.envelope import Usage
from domain.errors import ToolUnavailable
from domain.memory import Embedded
from tests.servers.wire_embeddings import meaning_of


class FakeEmbedder:
    """Implements `domain.memory.Embedder` with the vectors of the test server, and counts ten tokens and a micro-USD a text."""

    def __init__(self, name: str = "fake/model", *, length: int = 64, text_chars_max: int = 6000) -> None:
        self.name = f"{name}@{length}"
        self.asked: list[list[str]] = []
        self.available = 1_000_000
        self._length = length
        self._text_chars_max = text_chars_max

    async def embed(self, texts: list[str]) -> Embedded:
        """Return the vectors; `available` is how many requests it still answers.

        Raises:
            ToolUnavailable: it answers no more.
        """
        if self.available == 0:
            raise ToolUnavailable("the fake has no time now")
        self.available -= 1
        self.asked.append(texts)
        vectors = [meaning_of(text, self._length) if len(text) <= self._text_chars_max else None for text in texts]
        count = sum(vector is not None for vector in vectors)
        refusal = "" if count == len(texts) else "too long for the fake"
        return Embedded(embedder=self.name, vectors=vectors, refusal=refusal, usage=Usage(input_tokens=10 * count, cost_usd_micros=count))

    async def aclose(self) -> None:
        """Do nothing."""
