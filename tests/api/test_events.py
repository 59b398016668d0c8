"""`GET /v1/runs/{run_id}/events` on the gateway over fakes: refusals, order, resuming at every event, silence, slow watchers."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest

from domain.deltas import StreamKey
from domain.ledger import EntryBody, Kind
from domain.provider import Delta
from domain.runs import RunStatus
from tests.api.gateway import Gateway, wait_for
from tests.clients.live_gateway import LiveGateway, live_gateway


@dataclass(frozen=True)
class Seen:
    """One event off the wire."""

    id: str
    event: str
    data: dict[str, object]


def read(text: str) -> list[Seen]:
    """Read the events of a whole stream."""
    seen: list[Seen] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            seen.append(Seen(fields["id"], fields["event"], json.loads(fields["data"])))
    return seen


def answer(house: Gateway, run: str, *words: str, ends: bool = True) -> StreamKey:
    """Let a model answer in words."""
    key = StreamKey(tenant="default", run=run, step="review", visit=1, call="0", epoch=1, attempt=1)
    entry(house, run, Kind.MODEL_REQUESTED)
    stream = house.stores.streams.open(key)
    for word in words:
        wait_for(stream.write(Delta(kind="text", text=word)))
    if ends:
        house.stores.streams.texts["default", run, "review", 1, "0"] = "".join(words)
        entry(house, run, Kind.MODEL_ANSWERED)
    return key


def entry(house: Gateway, run: str, kind: str) -> None:
    """Append an entry of the model call."""
    said = {"kind": kind, "at": house.stores.database.now(), "principal": "prn_a", "correlation_id": "c", "epoch": 1}
    place = {"step": "review", "visit": 1, "call": "0", "attempt": 1}
    house.stores.database.append("default", run, EntryBody.model_validate(said | place))


def end(house: Gateway, run: str) -> None:
    """End the run."""
    house.stores.database.change_run("default", run, status=RunStatus.SUCCEEDED)


def events(house: Gateway, run: str, *, last: str | None = None, who: str = "auditor") -> httpx2.Response:
    """Ask for the events of a run that has ended."""
    return house.client(who).get(f"/v1/runs/{run}/events", headers={"Last-Event-ID": last} if last else {})


def until(holds: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait until something holds."""
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over, "it did not come to pass"
        time.sleep(0.01)


class TestRefusal:
    def test_does_not_find_a_run_of_another_tenant(self, house: Gateway) -> None:
        run = house.start()
        assert events(house, run, who="stranger").status_code == 404

    @pytest.mark.parametrize(("last", "said"), [("nonsense", "no id of an event"), ("99", "begin anew")])
    def test_says_what_is_wrong_with_an_id(self, house: Gateway, last: str, said: str) -> None:
        answered = events(house, house.start(), last=last)
        assert (answered.status_code, answered.headers["content-type"]) == (422, "application/problem+json")
        assert said in answered.json()["detail"]


class TestStream:
    def test_goes_from_the_first_entry_to_the_end(self, house: Gateway) -> None:
        run = house.start()
        answer(house, run, "Yes", ".")
        end(house, run)
        answered = events(house, run)
        assert answered.headers["content-type"].startswith("text/event-stream")
        assert answered.headers["cache-control"] == "no-cache"
        seen = read(answered.text)
        assert [one.event for one in seen] == ["entry", "entry", "entry", "end"]
        assert (seen[2].data["text"], seen[-1].data) == ("Yes.", {"status": "succeeded"})

    def test_goes_on_at_every_event_and_tells_the_rest(self, house: Gateway) -> None:
        run = house.start()
        answer(house, run, "Yes", ", ", "sir", ".")
        end(house, run)
        whole = read(events(house, run, last="1").text)
        assert [one.event for one in whole] == ["entry", "delta", "delta", "delta", "delta", "entry", "end"]
        for place, one in enumerate(whole[:-1]):
            assert read(events(house, run, last=one.id).text) == whole[place + 1 :]

    def test_is_over_for_who_was_told_the_end(self, house: Gateway) -> None:
        run = house.start()
        end(house, run)
        last = read(events(house, run).text)[-1]
        assert events(house, run, last=last.id).status_code == 204

    def test_goes_on_when_the_run_does(self, house: Gateway) -> None:
        run = house.start()
        end(house, run)
        last = read(events(house, run).text)[-1]
        answer(house, run, "Again.")
        assert [one.event for one in read(events(house, run, last=last.id).text)] == ["entry", "delta", "entry", "end"]


@pytest.fixture(name="live")
def _live() -> Iterator[LiveGateway]:
    with live_gateway() as live:
        yield live


class TestLiveStream:
    def test_tells_what_comes_and_says_so_when_nothing_does(self, live: LiveGateway) -> None:
        house = live.house
        run = house.start()
        headers = {"Authorization": f"Bearer {house.keys['auditor']}"}
        with httpx2.stream("GET", f"{live.url}/v1/runs/{run}/events", headers=headers, timeout=10) as response:
            lines = response.iter_lines()
            next(line for line in lines if line.startswith(": ping"))
            answer(house, run, "Yes", ends=False)
            assert json.loads(next(line for line in lines if "Yes" in line).removeprefix("data: "))["kind"] == "text"
            end(house, run)
            assert "event: end" in list(lines)
        until(lambda: house.stores.watching.watchers == 0)

    def test_serves_several_watchers_the_same(self, live: LiveGateway) -> None:
        house = live.house
        run = house.start()
        with live.client("auditor") as first, live.client("admin") as second:
            told = [first.runs.handle(run).events(), second.runs.handle(run).events()]
            begun = [next(one) for one in told]
            answer(house, run, "Yes", ".")
            end(house, run)
            assert begun[0] == begun[1]
            assert list(told[0]) == list(told[1])

    def test_cuts_a_watcher_that_does_not_read_and_lets_it_go_on(self) -> None:
        with live_gateway(send_s=0.2) as live:
            house = live.house
            run = house.start()
            words = ["x" * 50_000 + f"{number:04d}" for number in range(200)]
            answer(house, run, *words, ends=False)
            with socket.create_connection(("127.0.0.1", int(live.url.rsplit(":", 1)[1]))) as idle:
                idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                ask = f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.keys['auditor']}\r\n\r\n"
                idle.sendall(ask.encode())
                until(lambda: house.stores.watching.watchers == 1)
                until(lambda: house.stores.watching.watchers == 0)
            house.stores.streams.texts["default", run, "review", 1, "0"] = "".join(words)
            entry(house, run, Kind.MODEL_ANSWERED)
            end(house, run)
            with live.client("auditor") as client:
                told = list(client.runs.handle(run).events(after="2.2-150"))
            assert [len(one.text or "") for one in told[:50]] == [50_004] * 50

    def test_ends_when_the_gateway_stops(self, live: LiveGateway) -> None:
        run = live.house.start()
        headers = {"Authorization": f"Bearer {live.house.keys['auditor']}"}
        with httpx2.stream("GET", f"{live.url}/v1/runs/{run}/events", headers=headers, timeout=10) as response:
            lines = response.iter_lines()
            next(lines)
            live.house.stores.watching.over = True
            assert "event: end" not in list(lines)
