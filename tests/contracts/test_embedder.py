"""The contract of `domain.memory.Embedder`: hashed words, a model on each way to ask for vectors, and the fake."""

import json
import math
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapters.memory.hashing import HashingEmbedder
from adapters.models.embeddings import ModelEmbedder
from domain.errors import InvalidInput, ToolFailed, ToolUnavailable
from domain.memory import Embedder
from tests.fake_embedder import FakeEmbedder
from tests.outbound import outbound
from tests.servers.model_server import Answer, ModelServer
from tests.servers.wire_embeddings import DIMENSIONS, TEXT_CHARS_MAX
from wiring.embedding import build_embedder
from wiring.prices import build_prices
from wiring.settings_models import ModelSettings
from wiring.settings_outbound import OutboundSettings

KINDS = ("words", "openai/text-embedding-3-small", "azure/vectors", "compatible/bge-m3", "house/bge-m3", "fake")
MODELS = KINDS[1:-1]
OUTBOUND = outbound()
"""One for all: its certificates are read once."""


@dataclass
class Place:
    """A server that makes vectors, and what asks it; `made` are embedders to close."""

    server: ModelServer
    made: list[Embedder] = field(default_factory=list[Embedder])

    def embedder(self, model: str, *, dimensions: int | None = None, key: str | None = None, url: str | None = None) -> Embedder:
        """Return the embedder that the settings name; `url` is another place of the compatible server."""
        if model == "fake":
            return FakeEmbedder()
        secret = key or self.server.api_key
        models = ModelSettings.model_validate(
            {
                "openai_api_key": secret,
                "openai_base_url": self.server.openai_url,
                "azure_endpoint": self.server.url,
                "azure_api_key": secret,
                "compatible_base_url": url or self.server.openai_url,
                "compatible_api_key": secret,
                "compatible_servers": {"house": (self.server.openai_url, secret)},
            }
        )
        settings = OutboundSettings.model_validate({"memory_embedder": model, "memory_dimensions": dimensions})
        made = build_embedder(settings, models, build_prices(models), OUTBOUND)
        self.made.append(made)
        return made


@asynccontextmanager
async def _opened() -> AsyncGenerator[Place]:
    with ModelServer(otherwise=lambda _seen: Answer()) as server:
        place = Place(server)
        yield place
        for made in place.made:
            await made.aclose()


@pytest.fixture(name="place")
async def _place() -> AsyncGenerator[Place]:
    async with _opened() as place:
        yield place


@pytest.fixture(name="embedder", params=KINDS)
def _embedder(request: pytest.FixtureRequest, place: Place) -> Embedder:
    return place.embedder(str(request.param))


async def vectors(embedder: Embedder, *texts: str) -> list[list[float]]:
    """Return the vectors of texts that are all taken."""
    made = await embedder.embed(list(texts))
    return [vector for vector in made.vectors if vector is not None]


def likeness(a: list[float], b: list[float]) -> float:
    """Return the cosine of two vectors of length 1."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def floats(*given: list[float]) -> bytes:
    """Return an answer whose vectors are lists of numbers, from a server that knows no base64."""
    data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(given)]
    return json.dumps({"object": "list", "model": "m", "data": data}).encode()


class TestVectors:
    async def test_have_length_one_and_the_order_of_the_texts(self, embedder: Embedder) -> None:
        made = await vectors(embedder, "late flights", "the office closes at noon", "?")
        assert all(math.isclose(likeness(vector, vector), 1.0, abs_tol=1e-6) for vector in made)
        assert len({len(vector) for vector in made}) == 1
        [again] = await vectors(embedder, "the office closes at noon")
        assert math.isclose(likeness(made[1], again), 1.0, abs_tol=1e-6)
        assert likeness(made[0], again) < 0.9

    async def test_are_alike_where_texts_share_words(self, embedder: Embedder) -> None:
        [asked, near, far] = await vectors(embedder, "Ada prefers letters", "letters are what Ada prefers", "gates close at noon")
        assert likeness(asked, near) > likeness(asked, far) + 0.2

    async def test_are_known_by_a_name_that_stays(self, embedder: Embedder) -> None:
        assert (await embedder.embed(["a"])).embedder == (await embedder.embed(["b", "c"])).embedder


class TestMeaning:
    """What words alone do not find, and what is said of them in the documentation."""

    texts = ("the car broke", "my automobile failed", "gates close at noon")

    @pytest.mark.parametrize("model", MODELS)
    async def test_is_found_by_a_model(self, place: Place, model: str) -> None:
        [asked, near, far] = await vectors(place.embedder(model), *self.texts)
        assert likeness(asked, near) > likeness(asked, far) + 0.3

    async def test_is_not_found_by_words(self) -> None:
        [asked, near, _] = await vectors(HashingEmbedder(), *self.texts)
        assert likeness(asked, near) < 0.2


class TestModel:
    """What is particular to a model behind a server."""

    async def test_is_named_with_the_length_of_its_vectors(self, place: Place) -> None:
        assert (await place.embedder("compatible/bge-m3").embed(["a"])).embedder == f"compatible/bge-m3@{DIMENSIONS}"
        assert (await place.embedder("compatible/bge-m3", dimensions=16).embed(["a"])).embedder == "compatible/bge-m3@16"

    async def test_is_asked_in_base64_and_without_what_was_not_set(self, place: Place) -> None:
        await place.embedder("house/bge-m3").embed(["a", "b"])
        assert place.server.requests[-1].body == {"model": "bge-m3", "input": ["a", "b"], "encoding_format": "base64"}
        await place.embedder("house/bge-m3", dimensions=16).embed(["a"])
        assert place.server.requests[-1].body["dimensions"] == 16

    async def test_may_know_only_lists_of_numbers(self, place: Place) -> None:
        place.server.plan(Answer(body=floats([3.0, 4.0], [0.0, 2.0])))
        made = await place.embedder("compatible/old").embed(["abcdefgh", "b"])
        assert made.vectors == [[0.6, 0.8], [0.0, 1.0]]
        assert made.usage.input_tokens == 3, "nine characters, where the server counts nothing"

    async def test_costs_what_the_price_book_says(self, place: Place) -> None:
        place.server.plan(Answer(input_tokens=1_000_000), Answer(input_tokens=1_000_000))
        used = (await place.embedder("openai/text-embedding-3-small").embed(["a"])).usage
        assert (used.input_tokens, used.cost_usd_micros) == (1_000_000, 20_000)
        assert (await place.embedder("compatible/bge-m3").embed(["a"])).usage.cost_usd_micros == 0, "nobody knows its price"

    @pytest.mark.parametrize(("status", "wait"), [(429, 7.0), (500, None), (503, None)])
    async def test_may_have_no_time_now(self, place: Place, status: int, wait: float | None) -> None:
        place.server.plan(Answer(status=status, headers={"retry-after": "7"} if wait else {}))
        with pytest.raises(ToolUnavailable, match=str(status)) as raised:
            await place.embedder("openai/m").embed(["a"])
        assert raised.value.retry_after_s == wait
        assert len(place.server.requests) == 1, "the activity tries again, not the SDK"

    async def test_keeps_its_key_out_of_errors(self, place: Place) -> None:
        with pytest.raises(ToolFailed, match=r"401.*check the API key") as raised:
            await place.embedder("azure/m", key="wrong-0123456789").embed(["a"])
        assert "wrong-0123456789" not in raised.value.detail

    async def test_may_be_out_of_reach(self, place: Place) -> None:
        with socket.socket() as bound:  # a port that is taken and answers nobody
            bound.bind(("127.0.0.1", 0))
            with pytest.raises(ToolUnavailable, match="could not be reached"):
                await place.embedder("compatible/m", url=f"http://127.0.0.1:{bound.getsockname()[1]}/v1").embed(["a"])

    @pytest.mark.parametrize(
        "body",
        [b"<html>", b"{}", b'{"data": [{"index": 0, "embedding": null}]}', b'{"data": [{"index": 0, "embedding": "?"}]}', floats()],
    )
    async def test_is_told_when_it_speaks_something_else(self, place: Place, body: bytes) -> None:
        place.server.plan(Answer(body=body))
        with pytest.raises(ToolFailed, match=r"not of its protocol|of 0 numbers|0 vectors"):
            await place.embedder("compatible/m").embed(["a"])

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ([[1.0, 0.0]], "answered 2 texts with 1 vectors"),
            ([[1.0, 0.0], [1.0]], "of 1 and 2 numbers"),
            ([[1.0, 0.0], [0.0, 0.0]], "without a direction"),
        ],
    )
    async def test_is_told_when_its_vectors_cannot_be_compared(self, place: Place, given: list[list[float]], said: str) -> None:
        place.server.plan(Answer(body=floats(*given)))
        with pytest.raises(ToolFailed, match=said):
            await place.embedder("compatible/m").embed(["a", "b"])


class TestLength:
    async def test_is_the_one_that_was_asked_for(self, place: Place) -> None:
        place.server.plan(Answer(body=floats([1.0, 0.0, 0.0])))
        with pytest.raises(ToolFailed, match=r"vectors of 3 numbers, and STANDFAST_MEMORY_DIMENSIONS asks for 16: set it to 3"):
            await place.embedder("compatible/m", dimensions=16).embed(["a"])

    async def test_stays_while_the_process_does(self, place: Place) -> None:
        embedder = place.embedder("compatible/m")
        await embedder.embed(["a"])
        place.server.plan(Answer(body=floats([1.0, 0.0, 0.0])))
        with pytest.raises(ToolFailed, match=f"3 numbers, and of {DIMENSIONS} before: another model answers under its name"):
            await embedder.embed(["a"])
        assert await vectors(embedder, "a"), "what comes after is judged anew"

    async def test_is_at_most_what_pgvector_compares(self, place: Place) -> None:
        place.server.plan(Answer(body=floats([1.0] * 16_001)))
        with pytest.raises(ToolFailed, match="pgvector compares at most 16000"):
            await place.embedder("compatible/m").embed(["a"])


class TestTooLongTexts:
    async def test_are_left_out_and_the_others_are_made(self, place: Place) -> None:
        made = await place.embedder("openai/m").embed(["a", "x" * (TEXT_CHARS_MAX + 1), "b"])
        assert [vector is None for vector in made.vectors] == [False, True, False]
        assert "maximum context length" in made.refusal

    async def test_are_refused_alone_with_the_reason(self, place: Place) -> None:
        made = await place.embedder("azure/m").embed(["x" * (TEXT_CHARS_MAX + 1)])
        assert made.vectors == [None]
        assert "maximum context length" in made.refusal
        assert len(place.server.requests) == 0, "the server objects before it answers"


class TestSettings:
    @pytest.mark.parametrize(
        ("model", "needed"),
        [
            ("openai/m", "OPENAI_API_KEY"),
            ("azure/m", "AZURE_OPENAI_ENDPOINT"),
            ("compatible/m", "STANDFAST_COMPATIBLE_BASE_URL"),
            ("gemini/m", "STANDFAST_COMPATIBLE_SERVERS"),
        ],
    )
    def test_say_what_is_missing(self, model: str, needed: str) -> None:
        bare = ModelSettings.model_construct(compatible_base_url=None, compatible_servers={}, openai_api_key=None, azure_endpoint=None)
        with pytest.raises(InvalidInput, match=f"names {model}, which needs .*{needed}"):
            build_embedder(OutboundSettings.model_validate({"memory_embedder": model}), bare, build_prices(ModelSettings()), OUTBOUND)

    @pytest.mark.parametrize("text", ["word", "openai", "openai/", "/m", "a b/c"])
    def test_are_refused_when_they_name_no_model(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"(?i)memory_embedder"):
            OutboundSettings.model_validate({"memory_embedder": text})

    def test_need_no_model_for_words(self) -> None:
        prices = build_prices(ModelSettings())
        assert isinstance(build_embedder(OutboundSettings(), ModelSettings(), prices, OUTBOUND), HashingEmbedder)
        made = build_embedder(
            OutboundSettings.model_validate({"memory_embedder": "openai/m"}),
            ModelSettings.model_validate({"openai_api_key": "k"}),
            prices,
            OUTBOUND,
        )
        assert isinstance(made, ModelEmbedder)
