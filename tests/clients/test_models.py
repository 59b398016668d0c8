"""Words for models through both clients, against the real gateway."""

import pytest

from standfast_client import ForbiddenError, InvalidInputError, NotFoundError
from tests.clients.live_gateway import LiveGateway


class TestModels:
    def test_are_set_listed_and_removed(self, live: LiveGateway) -> None:
        with live.client() as client:
            made = client.models.set("fast", "gemini/gemini-3.5-flash", fallbacks=[{"model": "openai/gpt-4o", "on": ["overload"]}])
            assert (made.source, made.fallbacks[0].on) == ("tenant", ["overload"])
            assert client.models.list() == [made]
            assert client.models.capabilities("openai/gpt-5").temperature is False
            client.models.remove("fast")
            with pytest.raises(NotFoundError):
                client.models.remove("fast")

    async def test_are_checked(self, live: LiveGateway) -> None:
        async with live.async_client() as client:
            with pytest.raises(InvalidInputError):
                await client.models.set("fast", "no model")
        async with live.async_client("operator") as client:
            with pytest.raises(ForbiddenError):
                await client.models.set("fast", "openai/gpt-5")
