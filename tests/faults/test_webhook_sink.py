"""The server that takes webhooks from workers that are killed: what was cut off has not come."""

import socket
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.servers.webhook_sink import WebhookSink

HEAD = b"POST /hook HTTP/1.1\r\nhost: sink\r\ncontent-length: 8\r\n\r\n"


class TestCutRequest:
    @pytest.mark.parametrize("told", [b"", b'{"a":'])
    def test_has_not_come(self, told: bytes) -> None:
        with WebhookSink() as sink:
            with socket.create_connection(("127.0.0.1", urlsplit(sink.url).port or 0)) as sender:
                sender.sendall(HEAD + told)
                sender.shutdown(socket.SHUT_WR)
                assert sender.recv(1) == b""
            httpx2.post(sink.url, content=b'{"a": 1}')
            assert [came.body for came in sink.requests] == [b'{"a": 1}']
