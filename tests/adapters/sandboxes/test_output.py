"""Collecting output: the limit, the order, and a listener that fails."""

import pytest

from adapters.sandboxes.output import OutputCollector


class TestOutputCollector:
    async def test_shares_one_limit_between_both_streams(self) -> None:
        async with OutputCollector(10) as output:
            assert output.take("stdout", b"12345678")
            assert not output.take("stderr", b"abcdef")
        assert (output.text("stdout"), output.text("stderr"), output.overflowed) == ("12345678", "ab", True)

    async def test_is_not_over_when_the_limit_is_met_exactly(self) -> None:
        async with OutputCollector(4) as output:
            assert output.take("stdout", b"1234")
        assert not output.overflowed

    async def test_delivers_in_order_and_only_what_it_keeps(self) -> None:
        heard: list[tuple[str, bytes]] = []

        async def listen(stream: str, chunk: bytes) -> None:
            heard.append((stream, chunk))

        async with OutputCollector(5, listen) as output:
            output.take("stdout", b"ab")
            output.take("stderr", b"cd")
            output.take("stdout", b"efgh")
        assert heard == [("stdout", b"ab"), ("stderr", b"cd"), ("stdout", b"e")]

    async def test_shows_a_cut_character_as_unreadable(self) -> None:
        async with OutputCollector(1) as output:
            output.take("stdout", "ü".encode())
        assert output.text("stdout") == "\ufffd"

    async def test_tells_when_the_listener_fails(self) -> None:
        async def listen(_stream: str, _chunk: bytes) -> None:
            raise ConnectionError("nobody listens")

        with pytest.raises(ConnectionError):
            async with OutputCollector(5, listen) as output:
                output.take("stdout", b"a")
