"""Subscriptions: which secrets and URLs are taken, and who hears of an event."""

import base64

import pytest

from domain.deliveries import Recipient
from domain.errors import InvalidInput
from domain.events import Event
from domain.subscriptions import Subscribers, SubscriptionDraft, checked_secret, checked_url, format_secret
from tests.fakes_database import MemoryDatabase
from tests.fakes_deliveries import DeliveryTables
from tests.fakes_subscriptions import FakeSubscriptionStore

SECRET = format_secret(b"k" * 32)


class TestSecret:
    @pytest.mark.parametrize("size", [24, 32, 64])
    def test_has_24_to_64_bytes(self, size: int) -> None:
        secret = format_secret(b"k" * size)
        assert base64.b64decode(secret.removeprefix("whsec_")) == b"k" * size
        assert checked_secret(secret) == secret

    @pytest.mark.parametrize("size", [0, 23, 65])
    def test_of_another_size_is_refused(self, size: int) -> None:
        with pytest.raises(InvalidInput):
            format_secret(b"k" * size)

    @pytest.mark.parametrize("wrong", ["", "secret", "whsec_", "whsec_%%%", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_")])
    def test_in_another_form_is_refused(self, wrong: str) -> None:
        with pytest.raises(InvalidInput):
            checked_secret(wrong)


class TestUrl:
    @pytest.mark.parametrize("url", ["https://hooks.example/in", "https://hooks.example:8443/in?k=v"])
    def test_is_https(self, url: str) -> None:
        assert checked_url(url, allow_private=False) == url

    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.example/in",
            "ftp://hooks.example/in",
            "https:///in",
            "https://user:word@hooks.example/in",
            "https://hooks.example/in#part",
            "https://hooks.example/in\r\nhost: other",
            "https://hooks.example\\@other/",
            "https://hooks.example:99999/in",
            "https://hööks.example/in",
            "https://hooks.example/" + "x" * 2000,
            "hooks.example",
        ],
    )
    def test_of_another_form_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            checked_url(url, allow_private=False)
        assert caught.value.where == "/url"

    def test_may_be_http_where_private_addresses_are_allowed(self) -> None:
        assert checked_url("http://127.0.0.1:9000/in", allow_private=True)


class TestSubscribers:
    async def test_get_the_events_their_filters_take(self) -> None:
        store = FakeSubscriptionStore(DeliveryTables(MemoryDatabase()))
        for name, events, ordered in (("whk_a", ("run.*",), True), ("whk_b", ("approval.opened", "run.failed"), False)):
            draft = SubscriptionDraft(url="https://hooks.example/in", events=events, ordered=ordered)
            await store.create("acme", name, draft, secret=SECRET, by="prn_a")
        events = [
            Event(id=f"evt_{name}", type=name, at="", tenant="acme", run="run_1") for name in ("run.failed", "run.paused", "step.entered")
        ]
        found = await Subscribers(store).recipients("acme", events)
        a, b = (Recipient(channel="webhook", endpoint=name, ordered=name == "whk_a") for name in ("whk_a", "whk_b"))
        assert [(one.event.type, one.to) for one in found] == [("run.failed", a), ("run.failed", b), ("run.paused", a)]
        assert await Subscribers(store).recipients("beta", events) == []
