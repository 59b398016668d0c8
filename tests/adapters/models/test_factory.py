"""The factory `provider/model`."""

from pathlib import Path

import pytest

from adapters.models.addresses import CompatibleServer
from adapters.models.factory import ModelRouter
from domain.errors import UnknownModel
from tests.adapters.models.conversations import request_of, script
from tests.servers.model_server import Answer, ModelServer


class TestModelRouter:
    """Where a request goes."""

    @pytest.mark.parametrize(
        ("model", "path"),
        [("anthropic/claude-x", "/v1/messages"), ("openai/gpt-x", "/v1/responses"), ("local/org/llama-x", "/v1/chat/completions")],
    )
    async def test_sends_each_model_to_its_vendor(self, model: str, path: str) -> None:
        with ModelServer(otherwise=lambda _: Answer(text="hello")) as server:
            router = ModelRouter(
                anthropic_api_key=server.api_key,
                anthropic_base_url=server.url,
                openai_api_key=server.api_key,
                openai_base_url=server.openai_url,
                compatible={"local": CompatibleServer(server.openai_url, server.api_key)},
            )
            reply = await router.complete(request_of(model), timeout_s=10)
            await router.aclose()
        assert (reply.text, reply.model) == ("hello", model)
        assert (server.requests[0].path, server.requests[0].body["model"]) == (path, model.partition("/")[2])

    async def test_plays_a_script_by_its_name(self, tmp_path: Path) -> None:
        router = ModelRouter(scripts={"hi": script(tmp_path, "{standfast_script: 1, turns: [{reply: {text: hi}}]}")})
        reply = await router.complete(request_of("scripted/hi"), timeout_s=5)
        assert (reply.text, reply.scripted) == ("hi", True)

    @pytest.mark.parametrize(
        ("model", "setting"),
        [
            ("anthropic/claude-x", "ANTHROPIC_API_KEY"),
            ("compatible/llama", "STANDFAST_COMPATIBLE_BASE_URL"),
            ("scripted/absent", "STANDFAST_SCRIPTS"),
            ("acme/model", "ANTHROPIC_API_KEY, OPENAI_API_KEY"),
            ("gpt-x", "not of the form provider/model"),
        ],
    )
    def test_says_what_is_configured_and_what_to_set(self, model: str, setting: str) -> None:
        router = ModelRouter(openai_api_key="sk-test-key")
        with pytest.raises(UnknownModel) as caught:
            router.check(model)
        assert setting in caught.value.detail
        assert "openai/…" in caught.value.detail

    def test_refuses_an_alias_that_hides_a_vendor(self) -> None:
        with pytest.raises(UnknownModel, match="anthropic"):
            ModelRouter(compatible={"anthropic": CompatibleServer("http://127.0.0.1:1/v1")})
