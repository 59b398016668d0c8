"""What the suite of the model port runs on: each adapter against the wire-protocol server, the scripted one, and the fake."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import httpx2

from adapters.models.addresses import AwsAccess, AzureAccess
from adapters.models.anthropic_provider import AnthropicProvider
from adapters.models.bedrock_provider import BedrockProvider
from adapters.models.compatible_provider import CompatibleProvider
from adapters.models.factory import ModelRouter
from adapters.models.gemini_provider import GeminiProvider
from adapters.models.openai_provider import AzureProvider, OpenAIProvider
from adapters.models.scripted import ScriptedProvider
from adapters.models.tool_arguments import parse_arguments
from domain.egress import OPERATOR
from domain.errors import ModelFailed, ModelUnavailable, StandfastError
from domain.provider import CompletionReply, LlmProvider, ModelToolCall, StopReason
from tests.fake_provider import FakeProvider
from tests.outbound import guarded
from tests.servers.model_doors import ACCESS_KEY_ID
from tests.servers.model_server import Answer, ModelServer


class Subject(Protocol):
    """One implementation under test. `scripted` is what its replies must say of themselves.

    `text_arguments`: whether arguments travel as text on its wire, so that they may be malformed.
    """

    provider: LlmProvider
    model: str
    scripted: bool
    text_arguments: bool

    def plan(self, answer: Answer) -> None:
        """Make the next call meet `answer`."""
        ...


OpenSubject = Callable[[Path], AbstractAsyncContextManager[Subject]]


class _VendorSubject:
    scripted = False

    def __init__(self, provider: LlmProvider, model: str, server: ModelServer) -> None:
        self.provider, self.model, self._server = provider, model, server
        self.text_arguments = not model.startswith("gemini/")

    def plan(self, answer: Answer) -> None:
        self._server.plan(answer)


class _FakeSubject:
    model, scripted, text_arguments = "fake/model", False, True

    def __init__(self) -> None:
        self._fake = FakeProvider()
        self.provider: LlmProvider = self._fake

    def plan(self, answer: Answer) -> None:
        if answer.hang:
            self._fake.hang()
        self._fake.think(answer.reasoning)
        self._fake.plan(_planned(answer))


class _ScriptedSubject:
    model, scripted, text_arguments = "scripted/suite", True, True

    def __init__(self, folder: Path) -> None:
        self._path = folder / "suite.json"
        self.provider: LlmProvider = FakeProvider()

    def plan(self, answer: Answer) -> None:
        self._path.write_text(json.dumps({"standfast_script": 1, "turns": [_scripted_turn(answer)]}), encoding="utf-8")
        self.provider = ScriptedProvider({"suite": self._path})


def _scripted_turn(answer: Answer) -> dict[str, object]:
    if answer.status >= 400:
        retry_after = answer.headers.get("retry-after")
        wait = {"retry_after_s": float(retry_after)} if retry_after else {}
        return {"fail": {"status": answer.status, "message": answer.message} | wait}
    calls = [
        {"tool": call.name} | ({"arguments": call.arguments} if call.raw is None else {"raw_arguments": call.raw}) for call in answer.calls
    ]
    stop = {} if answer.stop == "answered" else {"stop": answer.stop}
    thought = {"reasoning": answer.reasoning} if answer.reasoning else {}
    return {"delay_s": 600 if answer.hang else 0, "reply": {"text": answer.text, "tool_calls": calls} | stop | thought}


def _planned(answer: Answer) -> CompletionReply | StandfastError:
    retry_after = answer.headers.get("retry-after")
    if answer.status in (408, 409, 429) or answer.status >= 500:
        return ModelUnavailable(answer.message, retry_after_s=float(retry_after) if retry_after else None)
    if answer.status >= 400:
        return ModelFailed(answer.message)
    calls = [
        ModelToolCall(
            vendor_id=f"call_{place}",
            name=call.name,
            arguments=call.arguments if call.raw is None else parse_arguments(call.raw),
            raw_arguments=(call.raw or "")[:2000],
        )
        for place, call in enumerate(answer.calls)
    ]
    stop = StopReason.TOOL_CALLS if calls and answer.stop == "answered" else StopReason(answer.stop)
    return CompletionReply(text=answer.text, tool_calls=calls, stop=stop, model="fake/model", input_tokens=11, output_tokens=7)


def client() -> httpx2.AsyncClient:
    """Return a client such as the factory gives to a vendor's SDK."""
    return httpx2.AsyncClient(transport=guarded().transport(OPERATOR), timeout=None, follow_redirects=False)


@asynccontextmanager
async def anthropic_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """Anthropic's SDK against the server."""
    with ModelServer() as server:
        provider = AnthropicProvider(api_key=server.api_key, base_url=server.url, http=client())
        yield _VendorSubject(provider, "anthropic/claude-test", server)
        await provider.aclose()


@asynccontextmanager
async def openai_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """OpenAI's SDK, Responses API, against the server."""
    with ModelServer() as server:
        provider = OpenAIProvider(api_key=server.api_key, base_url=server.openai_url, http=client())
        yield _VendorSubject(provider, "openai/gpt-test", server)
        await provider.aclose()


@asynccontextmanager
async def compatible_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """OpenAI's SDK, chat completions, against the server."""
    with ModelServer() as server:
        provider = CompatibleProvider(name="compatible", base_url=server.openai_url, api_key=server.api_key, http=client())
        yield _VendorSubject(provider, "compatible/llama-test", server)
        await provider.aclose()


@asynccontextmanager
async def azure_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """OpenAI's SDK for Azure against the server."""
    with ModelServer() as server:
        provider = AzureProvider(AzureAccess(endpoint=server.url, api_key=server.api_key), http=client())
        yield _VendorSubject(provider, "azure/gpt-test", server)
        await provider.aclose()


@asynccontextmanager
async def bedrock_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """Anthropic's SDK for Bedrock against the server, its requests signed."""
    with ModelServer() as server:
        access = AwsAccess(region="eu-central-1", access_key_id=ACCESS_KEY_ID, secret_access_key=server.api_key, base_url=server.url)
        provider = BedrockProvider(access, http=client())
        yield _VendorSubject(provider, "bedrock/eu.anthropic.claude-test-v1:0", server)
        await provider.aclose()


@asynccontextmanager
async def gemini_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """Google's SDK against the server."""
    with ModelServer() as server:
        provider = GeminiProvider(api_key=server.api_key, base_url=server.url, http=client())
        yield _VendorSubject(provider, "gemini/gemini-test", server)
        await provider.aclose()


@asynccontextmanager
async def router_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """The factory in front of an adapter."""
    with ModelServer() as server:
        router = ModelRouter(anthropic_api_key=server.api_key, anthropic_base_url=server.url)
        yield _VendorSubject(router, "anthropic/claude-test", server)
        await router.aclose()


@asynccontextmanager
async def scripted_subject(folder: Path) -> AsyncGenerator[Subject]:
    """The scripted model, its script written by the plan."""
    yield _ScriptedSubject(folder)


@asynccontextmanager
async def fake_subject(_folder: Path) -> AsyncGenerator[Subject]:
    """The fake that other tests use."""
    yield _FakeSubject()


SUBJECTS: dict[str, OpenSubject] = {
    "anthropic": anthropic_subject,
    "openai": openai_subject,
    "compatible": compatible_subject,
    "azure": azure_subject,
    "bedrock": bedrock_subject,
    "gemini": gemini_subject,
    "router": router_subject,
    "scripted": scripted_subject,
    "fake": fake_subject,
}
"""Every implementation of the port."""
