"""`POST /embeddings` as OpenAI, Azure's `v1` API and compatible servers (vLLM, Ollama, llama.cpp, TEI) speak it, on the vendor's SDK."""

import httpx2
from openai import APIStatusError, AsyncOpenAI, omit
from openai.types import CreateEmbeddingResponse

from adapters.models.embeddings import EmbeddingPlace, Refused, Vectors
from adapters.models.openai_errors import translated
from adapters.models.token_estimate import CHARS_PER_TOKEN
from adapters.models.vendor_errors import VendorErrors
from domain.errors import ModelFailed

_NO_KEY = "none"
"""Sent where the server wants no key: the SDK insists on one."""
_REFUSALS = frozenset({400, 413, 422})
"""A text over the model's context, or more texts than a server takes at once: OpenAI and vLLM say 400, TEI 413 and 422."""


class OpenAIEmbeddings:
    """Implements `adapters.models.embeddings.EmbeddingVendor`.

    Vectors travel as base64, which the SDK asks for, or as lists of numbers from servers that know only those.
    """

    def __init__(self, place: EmbeddingPlace, *, http: httpx2.AsyncClient) -> None:
        self._place = place
        self._errors = VendorErrors(place.called, place.api_key)
        self._client = AsyncOpenAI(
            api_key=place.api_key or _NO_KEY,
            base_url=place.base_url,
            default_headers=place.headers,
            default_query=place.query,
            max_retries=0,
            http_client=http,
        )

    async def vectors(self, texts: list[str], *, timeout_s: float) -> Vectors | Refused:
        """Return a vector for each text.

        Raises:
            ModelUnavailable: it may pass. ModelFailed: it will not.
            APIStatusError: never; it becomes one of them, or a refusal.
        """
        async with self._errors.deadline(timeout_s):
            with translated(self._errors), self._errors.reading():
                try:
                    made = await self._client.embeddings.create(
                        model=self._place.model, input=texts, dimensions=self._place.dimensions or omit, timeout=timeout_s
                    )
                except APIStatusError as error:
                    told = self._errors.from_status(error.status_code, error.message, error.response.headers)
                    if error.status_code not in _REFUSALS or not isinstance(told, ModelFailed):
                        raise
                    return Refused(told.detail)
                return _read(made, texts)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _read(made: CreateEmbeddingResponse, texts: list[str]) -> Vectors:
    """Read an answer; a server that reports no usage gets an estimate.

    Raises:
        ValueError: a vector holds what is no number.
    """
    ordered = sorted(made.data, key=lambda one: one.index)
    # The SDK builds objects without checking them, so a missing usage is None here whatever its type says.
    tokens = getattr(made.usage, "prompt_tokens", None)
    if not isinstance(tokens, int):
        tokens = -(-sum(map(len, texts)) // CHARS_PER_TOKEN)
    return Vectors([[float(value) for value in one.embedding] for one in ordered], tokens)
