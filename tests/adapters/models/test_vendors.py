"""What the six vendor adapters do on the wire, beyond the port's contract."""

import json
from base64 import b64encode
from collections.abc import AsyncGenerator

import pytest
from pydantic import JsonValue

from adapters.models.addresses import AwsAccess, AzureAccess, CompatibleServer, KeyAccess
from adapters.models.factory import ModelRouter
from domain.errors import ModelFailed, ModelUnavailable, StandfastError
from domain.provider import Attachment, CompletionReply, CompletionRequest, Delta, Message, ModelToolCall, StopReason, ToolSchema
from tests.adapters.models.conversations import answer_to, request_of
from tests.outbound import guarded
from tests.servers.model_doors import ACCESS_KEY_ID
from tests.servers.model_server import Answer, ModelServer, PlannedCall

TEXTUAL = (
    *("anthropic/claude-test", "openai/gpt-test", "compatible/llama-test"),
    *("azure/gpt-test", "bedrock/eu.anthropic.claude-test-v1:0"),
)
"""Models whose wire carries the arguments of calls as text."""
MODELS = (*TEXTUAL, "gemini/gemini-test")
CLOSED: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": ["pay", "refuse"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
OPEN: dict[str, JsonValue] = {"type": "object", "properties": {"amount": {"type": "integer", "minimum": 1}}}


class Bench:
    """A server and a router in front of it."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.router = ModelRouter(
            anthropic_api_key=server.api_key,
            anthropic_base_url=server.url,
            openai_api_key=server.api_key,
            openai_base_url=server.openai_url,
            azure=AzureAccess(endpoint=server.url, api_key=server.api_key),
            bedrock=AwsAccess(region="eu-central-1", access_key_id=ACCESS_KEY_ID, secret_access_key=server.api_key, base_url=server.url),
            gemini=KeyAccess(base_url=server.url, api_key=server.api_key),
            compatible={"compatible": CompatibleServer(server.openai_url, server.api_key)},
            outbound=guarded(),
        )

    async def whole(self, request: CompletionRequest) -> CompletionReply:
        """Call without streaming."""
        return await self.router.complete(request, timeout_s=10)

    async def streamed(self, request: CompletionRequest) -> CompletionReply:
        """Call with streaming."""

        async def ignore(_piece: Delta) -> None: ...

        return await self.router.complete(request, ignore, timeout_s=10)

    async def failure(self, model: str, answer: Answer, *, streamed: bool = False) -> StandfastError:
        """Return the error that `answer` becomes."""
        self.server.plan(answer)
        with pytest.raises(StandfastError) as caught:
            await (self.streamed if streamed else self.whole)(request_of(model))
        return caught.value


@pytest.fixture
async def bench() -> AsyncGenerator[Bench]:
    """A fresh bench."""
    with ModelServer() as server:
        opened = Bench(server)
        yield opened
        await opened.router.aclose()


@pytest.mark.parametrize("model", MODELS)
class TestRequest:
    """What reaches the vendor."""

    async def test_leaves_sampling_and_retries_alone(self, model: str, bench: Bench) -> None:
        await bench.failure(model, Answer(status=500))
        assert len(bench.server.requests) == 1
        body = bench.server.requests[0].body
        settings = body.get("generationConfig")
        assert not {"temperature", "top_p", "top_k", "topP", "topK"} & (
            body.keys() | (settings.keys() if isinstance(settings, dict) else set())
        )

    async def test_has_a_schema_the_vendor_can_enforce_as_output_format(self, model: str, bench: Bench) -> None:
        bench.server.plan(Answer(text='{"verdict": "pay"}'))
        await bench.whole(request_of(model).model_copy(update={"output_schema": CLOSED}))
        body = bench.server.requests[0].body
        given = body.get("output_config") or body.get("text") or body.get("response_format") or body.get("generationConfig")
        assert "json_schema" in str(given) or "responseJsonSchema" in str(given)
        assert "fit this JSON Schema" not in str(body)

    async def test_has_any_other_schema_in_words(self, model: str, bench: Bench) -> None:
        bench.server.plan(Answer(text='{"amount": 1}'))
        await bench.whole(request_of(model).model_copy(update={"output_schema": OPEN}))
        body = bench.server.requests[0].body
        assert "fit this JSON Schema" in str(body)
        assert not {"output_config", "text", "response_format"} & body.keys()
        assert "responseJsonSchema" not in str(body)


@pytest.mark.parametrize("model", MODELS)
class TestStatus:
    """Which answers may pass, and how long to wait."""

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
            ({"retry-after": "2.5"}, 2.5),
            ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0),
            ({"retry-after-ms": "soon", "retry-after": "4"}, 4),
            ({"retry-after": "inf"}, None),
            ({}, None),
        ],
    )
    async def test_tells_how_long_to_wait(self, model: str, headers: dict[str, str], seconds: float | None, bench: Bench) -> None:
        assert (await bench.failure(model, Answer(status=429, headers=headers))).retry_after_s == seconds

    @pytest.mark.parametrize(("status", "verdict", "error"), [(429, "false", ModelFailed), (400, "true", ModelUnavailable)])
    async def test_is_overruled_by_the_vendor(
        self, model: str, status: int, verdict: str, error: type[StandfastError], bench: Bench
    ) -> None:
        assert type(await bench.failure(model, Answer(status=status, headers={"x-should-retry": verdict}))) is error

    async def test_never_repeats_the_key(self, model: str, bench: Bench) -> None:
        echoed = f"Incorrect API key provided: {bench.server.api_key}, or Bearer abc.def, or sk-proj-12345678"
        error = await bench.failure(model, Answer(status=401, message=echoed))
        assert all(secret not in error.detail for secret in (bench.server.api_key, "abc.def", "12345678"))
        assert (error.__cause__, error.__suppress_context__) == (None, True)


@pytest.mark.parametrize("model", MODELS)
class TestBrokenAnswer:
    """Answers that break off, or are none."""

    @pytest.mark.parametrize("answer", [Answer(text="It was late.", cut_after=3), Answer(text="It was late.", end_after=1)])
    async def test_may_pass_when_the_stream_ends_early(self, model: str, answer: Answer, bench: Bench) -> None:
        assert type(await bench.failure(model, answer, streamed=True)) is ModelUnavailable

    @pytest.mark.parametrize(("kind", "error"), [("overloaded_error", ModelUnavailable), ("invalid_request_error", ModelFailed)])
    async def test_is_judged_by_the_error_inside_the_stream(self, model: str, kind: str, error: type[StandfastError], bench: Bench) -> None:
        answer = Answer(text="It was late.", error_after=2, error_kind=kind)
        assert type(await bench.failure(model, answer, streamed=True)) is error

    @pytest.mark.parametrize("body", [b"<html>a proxy</html>", b"{}", b"[]", b'{"content": 3, "choices": 3, "output": 3}'])
    async def test_lasts_when_it_is_not_of_the_protocol(self, model: str, body: bytes, bench: Bench) -> None:
        error = await bench.failure(model, Answer(body=body))
        assert type(error) is ModelFailed
        assert "not of its protocol" in error.detail

    async def test_may_pass_when_nobody_listens(self, model: str) -> None:
        with ModelServer() as server:
            bench = Bench(server)
        with pytest.raises(ModelUnavailable, match="could not be reached"):
            await bench.whole(request_of(model))
        await bench.router.aclose()


class TestToolCalls:
    """Argument texts no vendor forbids."""

    @pytest.mark.parametrize("raw", ["[1]", '{"a": NaN}', '{"a": "\\ud800"}', '"text"', '{"a":' * 3000])
    @pytest.mark.parametrize("model", TEXTUAL)
    async def test_are_malformed_unless_they_are_a_json_object(self, model: str, raw: str, bench: Bench) -> None:
        bench.server.plan(Answer(calls=(PlannedCall("flights.lookup", raw=raw),)))
        call = (await bench.streamed(request_of(model))).tool_calls[0]
        assert (call.arguments, call.raw_arguments) == (None, raw[:2000])

    @pytest.mark.parametrize("model", MODELS)
    async def test_may_have_no_arguments_at_all(self, model: str, bench: Bench) -> None:
        bench.server.plan(Answer(calls=(PlannedCall("clock.now", raw=""),)))
        assert (await bench.streamed(request_of(model))).tool_calls[0].arguments == {}


class TestPromptCache:
    """What is read out of a vendor's cache, and how it gets there."""

    @pytest.mark.parametrize("model", MODELS)
    async def test_is_counted(self, model: str, bench: Bench) -> None:
        bench.server.plan(
            Answer(text="Late.", input_tokens=1000, cached_tokens=900), Answer(text="Late.", input_tokens=1000, cached_tokens=900)
        )
        for reply in (await bench.whole(request_of(model)), await bench.streamed(request_of(model))):
            assert (reply.input_tokens, reply.cached_input_tokens) == (1000, 900)

    @pytest.mark.parametrize("model", ["anthropic/claude-test", "bedrock/eu.anthropic.claude-test-v1:0"])
    async def test_is_marked_behind_what_comes_again(self, model: str, bench: Bench) -> None:
        bench.server.plan(Answer(text="Late.", input_tokens=1000, cache_write_tokens=990))
        lookup = ToolSchema(name="flights.lookup", description="", parameters={"type": "object"})
        reply = await bench.whole(request_of(model).model_copy(update={"tools": [lookup]}))
        body = bench.server.requests[0].body
        kept = {"cache_control": {"type": "ephemeral"}}
        assert str(body["system"]).count(str(kept)[1:-1]) == 1
        assert str(body["messages"]).count(str(kept)[1:-1]) == 1
        assert reply.cache_write_tokens == 990


PNG, PDF = b"\x89PNG\r\n\x1a\n", b"%PDF-1.7"
FILES = [
    Attachment(ref="r", media_type="image/png", content=PNG),
    Attachment(ref="r", media_type="application/pdf", name="claim.pdf", content=PDF),
    Attachment(ref="r", media_type="text/plain", name="letter.txt", content=b"It was late."),
]


@pytest.mark.parametrize("model", MODELS)
class TestAttachments:
    """Images and files of a message."""

    async def test_reach_the_vendor(self, model: str, bench: Bench) -> None:
        bench.server.plan(Answer(text="I see."))
        await bench.whole(request_of(model, Message(role="user", text="What is this?", attachments=FILES)))
        sent = str(bench.server.requests[0].body)
        assert b64encode(PNG).decode() in sent
        assert b64encode(PDF).decode() in sent
        assert "It was late." in sent or b64encode(b"It was late.").decode() in sent

    @pytest.mark.parametrize(("media_type", "content"), [("video/mp4", b"x"), ("image/png", None)])
    async def test_are_refused_before_anything_is_sent(self, model: str, media_type: str, content: bytes | None, bench: Bench) -> None:
        shown = Attachment(ref="r", media_type=media_type, content=content)
        with pytest.raises(ModelFailed):
            await bench.whole(request_of(model, Message(role="user", text="?", attachments=[shown])))
        assert bench.server.requests == []


class TestDialects:
    """What one vendor says in its own way."""

    async def test_gemini_names_its_delay_in_the_body(self, bench: Bench) -> None:
        info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
        body = json.dumps({"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": [info]}}).encode()
        assert (await bench.failure("gemini/gemini-test", Answer(status=429, body=body))).retry_after_s == 7

    async def test_gemini_gets_back_what_it_signed(self, bench: Bench) -> None:
        asked = request_of("gemini/gemini-test")
        bench.server.plan(Answer(calls=(PlannedCall("flights.lookup", {"flight": 1}),)), Answer(text="Late."))
        call = (await bench.whole(asked)).tool_calls[0]
        await bench.whole(answer_to(asked, call, '{"late": true}'))
        assert "c2lnbmVkIGJ5IHRoZSBtb2RlbA==" in str(bench.server.requests[1].body)

    async def test_gemini_takes_calls_that_another_model_made(self, bench: Bench) -> None:
        call = ModelToolCall(vendor_id="toolu_1", name="flights.lookup", arguments={"flight": 1}, signature="other:00")
        bench.server.plan(Answer(text="Late."))
        assert (await bench.whole(answer_to(request_of("gemini/gemini-test"), call, "late"))).text == "Late."

    async def test_azures_filter_is_a_refusal(self, bench: Bench) -> None:
        body = json.dumps({"error": {"code": "content_filter", "message": "The prompt was filtered.", "type": None}}).encode()
        bench.server.plan(Answer(status=400, body=body))
        reply = await bench.whole(request_of("azure/gpt-test"))
        assert (reply.stop, reply.text, reply.input_tokens) == (StopReason.REFUSED, "The prompt was filtered.", 0)

    @pytest.mark.parametrize("model", ["azure/gpt-test", "bedrock/eu.anthropic.claude-test-v1:0", "gemini/gemini-test"])
    async def test_reasoning_streams_apart_from_the_answer(self, model: str, bench: Bench) -> None:
        told: list[Delta] = []

        async def keep(piece: Delta) -> None:
            told.append(piece)

        bench.server.plan(Answer(reasoning="I look at the table.", text="It was late.", pieces=4, pause_s=0.01))
        reply = await bench.router.complete(request_of(model), keep, timeout_s=10)
        assert "".join(piece.text for piece in told if piece.kind == "reasoning") == "I look at the table."
        assert "".join(piece.text for piece in told if piece.kind == "text") == reply.text == "It was late."

    async def test_bedrock_wants_a_signature_that_is_right(self, bench: Bench) -> None:
        access = AwsAccess(region="eu-central-1", access_key_id=ACCESS_KEY_ID, secret_access_key="wrong", base_url=bench.server.url)
        router = ModelRouter(bedrock=access)
        with pytest.raises(ModelFailed, match="Bedrock answered 401"):
            await router.complete(request_of("bedrock/eu.anthropic.claude-test-v1:0"), timeout_s=10)
        await router.aclose()

    async def test_bedrock_takes_an_api_key_instead(self, bench: Bench) -> None:
        bench.server.plan(Answer(text="Late."))
        router = ModelRouter(bedrock=AwsAccess(region="eu-central-1", api_key=bench.server.api_key, base_url=bench.server.url))
        assert (await router.complete(request_of("bedrock/eu.anthropic.claude-test-v1:0"), timeout_s=10)).text == "Late."
        await router.aclose()


@pytest.mark.parametrize("model", MODELS)
class TestOptions:
    """Sampling and parallel calls, where a definition names them."""

    async def test_reach_vendors_that_have_them(self, model: str, bench: Bench) -> None:
        bench.server.plan(Answer(text="Late."))
        lookup = ToolSchema(name="flights.lookup", description="", parameters={"type": "object"})
        await bench.whole(request_of(model).model_copy(update={"parallel_tools": False, "tools": [lookup]}))
        sent = str(bench.server.requests[0].body)
        assert "'parallel_tool_calls': False" in sent or "'disable_parallel_tool_use': True" in sent or "one tool" in sent
