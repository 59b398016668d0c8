"""Following a run: events off the wire however it is cut, and connections that are lost."""

import httpx2
import pytest

from standfast_client import AsyncStandfast, GatewayUnreachableError, NotFoundError, RetryPolicy, RunEvent, Standfast, UnexpectedAnswerError
from standfast_client.events import EventReader
from tests.clients.played import URL, Played, client_of, problem

WIRE = (
    b"retry: 1000\n\n: ping\n\n"
    b'event: entry\ndata: {"sequence": 1, "kind": "gateway:run:accepted"}\nid: 1\n\n'
    b'event: delta\ndata: {"step": "review", "visit": 1, "call": "0", "attempt": 1, "kind": "text", "text": "J\xc3\xa1"}\nid: 2.2-1\n\n'
    b'event: later\ndata: {"anything": true}\nid: 2.2-1\n\n'
    b'event: end\r\ndata: {"status": "succeeded"}\r\nid: 3.end\r\n\r\n'
)


def told(*parts: bytes) -> list[RunEvent]:
    """Read parts."""
    reader = EventReader()
    return [event for part in parts for event in reader.read(part)]


def sent(*wires: bytes | Exception) -> list[httpx2.Response]:
    """Answer with these bodies."""
    return [httpx2.Response(200, content=wire) for wire in wires if isinstance(wire, bytes)]


def block(kind: str, event_id: str, data: str) -> bytes:
    """Return one event."""
    return f"event: {kind}\ndata: {data}\nid: {event_id}\n\n".encode()


class TestEventReader:
    def test_reads_what_it_knows_and_passes_over_the_rest(self) -> None:
        events = told(WIRE)
        assert [(event.kind, event.id) for event in events] == [("entry", "1"), ("delta", "2.2-1"), ("end", "3.end")]
        assert (events[0].what, events[1].what, events[1].text, events[2].status) == ("gateway:run:accepted", "text", "Já", "succeeded")

    def test_reads_the_same_however_it_is_cut(self) -> None:
        whole = told(WIRE)
        assert told(*[WIRE[place : place + 1] for place in range(len(WIRE))]) == whole
        for place in range(len(WIRE)):
            assert told(WIRE[:place], WIRE[place:]) == whole

    @pytest.mark.parametrize("data", ["no json", "[1]", '{"visit": "x"}'])
    def test_says_so_when_an_event_cannot_be_read(self, data: str) -> None:
        with pytest.raises(UnexpectedAnswerError, match="cannot be read"):
            told(block("entry", "1", data))


class TestEvents:
    def test_go_on_where_the_connection_was_lost(self) -> None:
        first, second = block("entry", "1", "{}"), block("entry", "2", "{}")
        played = Played(*sent(first), httpx2.ConnectError("gone"), problem(503, "unavailable"), *sent(second + block("end", "2.end", "{}")))
        assert [event.id for event in client_of(played).runs.handle("run_1").events()] == ["1", "2", "2.end"]
        assert [request.headers.get("Last-Event-ID") for request in played.asked] == [None, "1", "1", "1"]

    def test_begin_after_an_event_and_end_when_nothing_follows(self) -> None:
        played = Played(httpx2.Response(204))
        assert list(client_of(played).runs.handle("run_1").events(after="9.end")) == []
        assert played.asked[0].headers["Last-Event-ID"] == "9.end"

    def test_end_with_the_gateways_refusal(self) -> None:
        with pytest.raises(NotFoundError):
            list(client_of(Played(problem(404, "not-found"))).runs.handle("run_1").events())

    def test_give_up_when_the_gateway_stays_away(self) -> None:
        with pytest.raises(GatewayUnreachableError, match="goes on"):
            list(client_of(Played(httpx2.ConnectError("gone"))).runs.handle("run_1").events(patience=0))

    async def test_are_the_same_in_the_asynchronous_client(self) -> None:
        played = Played(*sent(block("entry", "1", "{}"), block("end", "1.end", "{}")))
        policy = RetryPolicy(first_delay_s=0.0, delay_s_max=0.0)
        async with AsyncStandfast(URL, "sf_key", retry=policy, transport=httpx2.MockTransport(played)) as client:
            assert [event.id async for event in client.runs.handle("run_1").events()] == ["1", "1.end"]

    def test_leave_nothing_open_when_nobody_listens_any_more(self) -> None:
        class Body(httpx2.SyncByteStream):
            closed = False

            def __iter__(self):  # noqa: ANN204 - bytes
                yield block("entry", "1", "{}") * 100

            def close(self) -> None:
                Body.closed = True

        transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, stream=Body()))
        with Standfast(URL, "sf_key", transport=transport) as client:
            for _event in client.runs.handle("run_1").events():
                break
        assert Body.closed
