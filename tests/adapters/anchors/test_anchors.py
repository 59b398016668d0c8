"""What anchors keep, how the webhook is signed, and which addresses are refused."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from adapters.anchors.file import FileAnchor
from adapters.anchors.webhook import WebhookAnchor
from adapters.codec.head_keys import DerivedHeadKeys
from domain.errors import InvalidInput, Unavailable
from domain.tree_heads import SignedTreeHead, TreeHead, key_id_of
from tests.outbound import FakeOutbound, outbound

KEYS = DerivedHeadKeys(b"m" * 32)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://anchor.example/heads?token=t"
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def head(tree_size: int = 3) -> SignedTreeHead:
    """Return a signed head."""
    said = TreeHead(
        tenant="acme",
        tree_size=tree_size,
        root_hash=b"r" * 32,
        timestamp_us=1_700_000_000_000_000,
        key_id=key_id_of(KEYS.public("acme", 1)),
    )
    return SignedTreeHead(**said.model_dump(), signature=KEYS.sign("acme", 1, said.signed_bytes()))


class TestHead:
    def test_signs_these_bytes(self) -> None:
        said = head()
        expected = (
            f'standfast:tree-head:v1\0{{"key_id":"{said.key_id}","root_hash":"{"72" * 32}","tenant":"acme",'
            '"timestamp_us":"1700000000000000","tree_size":3}'
        )
        assert said.signed_bytes() == expected.encode()
        assert KEYS.holds(KEYS.public("acme", 1), said.signed_bytes(), said.signature)

    def test_is_signed_by_another_key_in_each_tenant_and_generation(self) -> None:
        assert len({KEYS.public("acme", 1), KEYS.public("acme", 2), KEYS.public("other", 1)}) == 3
        assert not KEYS.holds(KEYS.public("acme", 2), head().signed_bytes(), head().signature)
        assert not KEYS.holds(b"no key", head().signed_bytes(), head().signature)


class TestFile:
    async def test_has_one_head_a_line_as_json(self, tmp_path: Path) -> None:
        path = tmp_path / "outside" / "heads.jsonl"
        anchor = FileAnchor(path)
        for size in (3, 5):
            await anchor.keep(head(size))
        await anchor.aclose()
        assert [json.loads(line) for line in path.read_text().splitlines()] == [head(3).document(), head(5).document()]
        assert anchor.name == f"file:{path}"
        assert path.stat().st_mode & 0o077 == 0

    async def test_begins_a_new_line_after_one_that_was_torn(self, tmp_path: Path) -> None:
        path = tmp_path / "heads.jsonl"
        path.write_bytes(b'{"tenant":"ac')
        await FileAnchor(path).keep(head())
        assert json.loads(path.read_text().splitlines()[1]) == head().document()

    async def test_that_cannot_be_written_is_unavailable(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match=r"anchor file .* cannot be written"):
            await FileAnchor(tmp_path).keep(head())


class Receiver:
    """Answers each request with the next status; the last one again and again."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Take a head."""
        self.got.append(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 0:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(status, headers={"location": "https://elsewhere.example/"})


def hook(receiver: Receiver, *, secret: str | None = SECRET) -> WebhookAnchor:
    """Return an anchor that speaks to the receiver."""
    return WebhookAnchor(URL, secret=secret, now=lambda: NOW, outbound=FakeOutbound(receiver))


class TestWebhook:
    async def test_posts_a_head_signed_as_standard_webhooks_says(self) -> None:
        receiver = Receiver(204)
        await hook(receiver).keep(head())
        (request,) = receiver.got
        assert (request.method, str(request.url)) == ("POST", URL)
        assert json.loads(request.content) == {"type": "ledger.tree_head.signed", "timestamp": NOW.isoformat(), "data": head().document()}
        assert request.headers["webhook-id"] == "head_acme_3"
        signed = b".".join([b"head_acme_3", request.headers["webhook-timestamp"].encode(), request.content])
        expected = base64.b64encode(hmac.digest(b"k" * 24, signed, hashlib.sha256)).decode()
        assert request.headers["webhook-signature"] == f"v1,{expected}"
        assert int(request.headers["webhook-timestamp"]) == int(NOW.timestamp())

    async def test_without_a_secret_is_not_signed(self) -> None:
        receiver = Receiver(200)
        await hook(receiver, secret=None).keep(head())
        assert "webhook-signature" not in receiver.got[0].headers

    @pytest.mark.parametrize("status", [500, 404, 302, 0])
    async def test_that_is_not_taken_is_unavailable(self, status: int) -> None:
        receiver = Receiver(status)
        with pytest.raises(Unavailable, match=r"webhook:https://anchor\.example/heads"):
            await hook(receiver).keep(head())
        assert len(receiver.got) == 1

    def test_names_itself_without_what_may_be_secret(self) -> None:
        anchor = WebhookAnchor("https://user:pass@anchor.example/h?token=t", secret=None, now=lambda: NOW, outbound=outbound())
        assert anchor.name == "webhook:https://anchor.example/h"

    @pytest.mark.parametrize("url", ["http://anchor.example/", "ftp://anchor.example/", "anchor.example", "https://", "http://127.0.0.1/"])
    def test_is_refused_without_https(self, url: str) -> None:
        with pytest.raises(InvalidInput, match="STANDFAST_ANCHOR_URL"):
            WebhookAnchor(url, secret=None, now=lambda: NOW, outbound=outbound())

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/"])
    def test_on_this_machine_needs_no_tls_in_development(self, url: str) -> None:
        assert WebhookAnchor(url, secret=None, now=lambda: NOW, outbound=outbound(), allow_loopback=True).name == f"webhook:{url}"
        with pytest.raises(InvalidInput, match="https"):
            WebhookAnchor("http://anchor.example/", secret=None, now=lambda: NOW, outbound=outbound(), allow_loopback=True)

    def test_refuses_a_secret_that_is_no_base64(self) -> None:
        with pytest.raises(InvalidInput, match="STANDFAST_ANCHOR_SECRET"):
            WebhookAnchor(URL, secret="whsec_!", now=lambda: NOW, outbound=outbound())
