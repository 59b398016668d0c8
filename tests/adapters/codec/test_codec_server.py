"""The codec endpoint's answers."""

import base64
import json

import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads

from adapters.codec.cipher import TenantCipher
from adapters.codec.codec_server import decode_body, encode_body
from adapters.codec.temporal_codec import TemporalCodec
from adapters.codec.tenants import TenantRegistry
from domain.errors import BadRequest, Forbidden

PLAIN = Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=b'{"passenger":"Ada"}')])
PLAIN_BODY = json_format.MessageToJson(PLAIN).encode()


@pytest.fixture
def codec() -> TemporalCodec:
    return TemporalCodec(TenantCipher(bytes(32)), TenantRegistry())


def sealed_body(codec: TemporalCodec, tenant: str) -> bytes:
    """Return a body with one payload of the tenant."""
    return encode_body(codec, PLAIN_BODY, tenant=tenant, workflow_id="run_a")


class TestDecodeBody:
    async def test_opens_payloads_the_caller_may_read(self, codec: TemporalCodec) -> None:
        body = await decode_body(codec, sealed_body(codec, "acme"), lambda tenant: tenant == "acme")
        assert json_format.Parse(body, Payloads()) == PLAIN

    async def test_answers_in_the_shape_the_web_ui_reads(self, codec: TemporalCodec) -> None:
        payload = json.loads(await decode_body(codec, sealed_body(codec, "acme"), lambda _: True))["payloads"][0]
        assert base64.b64decode(payload["metadata"]["encoding"]) == b"json/plain"
        assert json.loads(base64.b64decode(payload["data"])) == {"passenger": "Ada"}

    async def test_refuses_all_when_one_is_another_tenants(self, codec: TemporalCodec) -> None:
        mixed = [json.loads(sealed_body(codec, tenant))["payloads"][0] for tenant in ("acme", "other")]
        with pytest.raises(Forbidden):
            await decode_body(codec, json.dumps({"payloads": mixed}).encode(), lambda tenant: tenant == "acme")

    async def test_passes_plain_payloads_through(self, codec: TemporalCodec) -> None:
        assert json_format.Parse(await decode_body(codec, PLAIN_BODY, lambda _: False), Payloads()) == PLAIN

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"text"', b'{"payloads": 3}', b'{"other": []}', b'{"payloads": [{"data": 1}]}'])
    async def test_refuses_what_is_no_list_of_payloads(self, codec: TemporalCodec, body: bytes) -> None:
        with pytest.raises(BadRequest, match="not a list of Temporal payloads"):
            await decode_body(codec, body, lambda _: True)


class TestEncodeBody:
    def test_hides_the_plaintext(self, codec: TemporalCodec) -> None:
        payloads = json_format.Parse(sealed_body(codec, "acme"), Payloads())
        assert b"Ada" not in payloads.SerializeToString()

    def test_refuses_payloads_for_no_workflow(self, codec: TemporalCodec) -> None:
        with pytest.raises(BadRequest, match="name the workflow"):
            encode_body(codec, PLAIN_BODY, tenant="acme", workflow_id="")
