"""Vectors by a model behind the port `domain.memory.Embedder`: what is kept of its answers, whatever vendor gives them.

Vectors of one model can have other lengths tomorrow, when a server is given another model under the same name. So what made a vector is
named with its length, and a process that saw one length takes no other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import httpx2

from adapters.models.late import Late
from domain.egress import OPERATOR, OutboundClients
from domain.envelope import Usage
from domain.errors import ModelFailed, ModelUnavailable, ToolFailed, ToolUnavailable
from domain.memory import DIMENSIONS_MAX, Embedded

TIMEOUT_S = 8.0
"""Bound of one request: a search makes two after another at worst, and renews for 3 s between them, within the 20 s of its tool."""

CostOf = Callable[[int], int | None]
"""Return what so many tokens cost in micro-USD; None: nobody knows a price, and it counts as nothing."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingPlace:
    """Where a model is asked for vectors. `called` starts the sentences of its errors; `base_url` ends where `/embeddings` begins."""

    called: str
    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    query: dict[str, str] = field(default_factory=dict[str, str])
    dimensions: int | None = None


@dataclass(frozen=True)
class Vectors:
    """What a model answered, in the order of the texts; `tokens` is what it read."""

    vectors: list[list[float]]
    tokens: int


@dataclass(frozen=True)
class Refused:
    """The model does not take these texts: one of them is too long for it, or they are too many."""

    reason: str


class EmbeddingVendor(Protocol):
    """One way to ask for vectors."""

    async def vectors(self, texts: list[str], *, timeout_s: float) -> Vectors | Refused:
        """Return a vector for each text. Raises: ModelUnavailable, ModelFailed."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class ModelEmbedder:
    """Implements `domain.memory.Embedder`. The vendor's SDK is loaded by the first call; `model` is `provider/model` as people write it."""

    def __init__(
        self,
        place: EmbeddingPlace,
        *,
        model: str,
        cost_of: CostOf,
        outbound: OutboundClients[httpx2.AsyncBaseTransport],
    ) -> None:
        self._place = place
        self._model = model
        self._cost_of = cost_of
        self._outbound = outbound
        self._vendor = Late[EmbeddingVendor](self._build)
        self._length: int | None = None

    async def embed(self, texts: list[str]) -> Embedded:
        """Return a vector for each text; texts that the model refuses together are asked for one by one.

        Raises:
            ToolUnavailable: the model could not be reached, or has no time now.
            ToolFailed: it answers otherwise, or with vectors of another length than were asked for or came before.
        """
        answers = [(texts, await self._asked(texts))]
        if len(texts) > 1 and isinstance(answers[0][1], Refused):
            answers = [([text], await self._asked([text])) for text in texts]
        vectors: list[list[float] | None] = []
        refusal, tokens = "", 0
        for asked, answer in answers:
            if isinstance(answer, Refused):
                vectors.extend([None] * len(asked))
                refusal = answer.reason
            else:
                vectors.extend(self._checked(answer, len(asked)))
                tokens += answer.tokens
        usage = Usage(input_tokens=tokens, cost_usd_micros=self._cost_of(tokens) or 0)
        return Embedded(embedder=f"{self._model}@{self._length or 'unknown'}", vectors=vectors, refusal=refusal, usage=usage)

    async def aclose(self) -> None:
        """Close the vendor's connections, if it was ever called."""
        await self._vendor.aclose()

    async def _asked(self, texts: list[str]) -> Vectors | Refused:
        """Ask the vendor.

        Raises:
            ToolUnavailable: it may pass.
            ToolFailed: it will not.
        """
        vendor = await self._vendor.get()
        try:
            return await vendor.vectors(texts, timeout_s=TIMEOUT_S)
        except ModelUnavailable as error:
            raise ToolUnavailable(error.detail, retry_after_s=error.retry_after_s) from None
        except ModelFailed as error:
            raise ToolFailed(error.detail) from None

    def _build(self) -> EmbeddingVendor:
        from adapters.models.openai_embeddings import OpenAIEmbeddings  # noqa: PLC0415 - late on purpose: the SDK takes a second

        http = httpx2.AsyncClient(transport=self._outbound.transport(OPERATOR), timeout=None, follow_redirects=False)
        return OpenAIEmbeddings(self._place, http=http)

    def _checked(self, answer: Vectors, count: int) -> list[list[float]]:
        """Return the vectors at length 1.

        Raises:
            ToolFailed: they cannot be used.
        """
        lengths = {len(vector) for vector in answer.vectors}
        if len(answer.vectors) != count or len(lengths) != 1 or 0 in lengths:
            raise ToolFailed(f"{self._model} answered {count} texts with {len(answer.vectors)} vectors of {_told(lengths)} numbers")
        self._take_length(lengths.pop())
        return [self._scaled(vector) for vector in answer.vectors]

    def _take_length(self, length: int) -> None:
        """Remember the length of the first vectors.

        Raises:
            ToolFailed: it is not what was asked for, not that of vectors before, or more than pgvector compares.
        """
        asked = self._place.dimensions
        if asked is not None and length != asked:
            raise ToolFailed(
                f"{self._model} made vectors of {length} numbers, and STANDFAST_MEMORY_DIMENSIONS asks for {asked}: "
                f"set it to {length}, or leave it out"
            )
        if self._length is not None and length != self._length:
            raise ToolFailed(
                f"{self._model} made vectors of {length} numbers, and of {self._length} before: "
                "another model answers under its name; name it otherwise, or start the worker again"
            )
        if length > DIMENSIONS_MAX:
            raise ToolFailed(f"{self._model} made vectors of {length} numbers; pgvector compares at most {DIMENSIONS_MAX}")
        self._length = length

    def _scaled(self, vector: list[float]) -> list[float]:
        """Return a vector at length 1.

        Raises:
            ToolFailed: it has none, or a number that is none.
        """
        length = math.sqrt(sum(value * value for value in vector))
        if not math.isfinite(length) or length == 0:
            raise ToolFailed(f"{self._model} made a vector without a direction")
        return [value / length for value in vector]


def _told(lengths: set[int]) -> str:
    return " and ".join(map(str, sorted(lengths))) or "no"
