"""Runs through both clients against the real gateway."""

import pytest

from domain.runs import Projection, RunStatus
from standfast_client import ForbiddenError, InvalidInputError, NotFoundError, Run, RunFailedError, WaitTimedOutError
from tests.clients.live_gateway import LiveGateway

CLAIM = {"claim": {"id": "c-1"}}


class TestStart:
    def test_returns_a_handle_of_the_run(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            handle = client.runs.start("delay-claim", CLAIM)
            run = handle.read()
        assert (run.run, run.definition, run.version) == (handle.id, "delay-claim", "1.0.0")

    def test_gives_the_same_run_for_the_same_key(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            first = client.runs.start("delay-claim", CLAIM, idempotency_key="k-1")
            again = client.runs.start("delay-claim", CLAIM, idempotency_key="k-1")
            other = client.runs.start("delay-claim", CLAIM)
        assert first.id == again.id != other.id

    def test_asks_for_a_version_range(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            assert client.runs.start("delay-claim", CLAIM, version="^1", config={"limit": 3}).status() == "accepted"
            with pytest.raises(NotFoundError, match="delay-claim"):
                client.runs.start("delay-claim", CLAIM, version="^2")

    def test_names_each_mistake_of_the_input(self, live: LiveGateway) -> None:
        with live.client("operator") as client, pytest.raises(InvalidInputError) as caught:
            client.runs.start("delay-claim", {"claim": {"id": 7}})
        assert (caught.value.status, caught.value.code) == (422, "invalid-input")
        assert [fault.where for fault in caught.value.errors] == ["/input/claim/id"]
        assert caught.value.correlation_id

    def test_is_refused_to_a_viewer(self, live: LiveGateway) -> None:
        with live.client("viewer") as client, pytest.raises(ForbiddenError):
            client.runs.start("delay-claim", CLAIM)


class TestWait:
    def test_returns_the_run_when_it_has_ended(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            handle = client.runs.start("delay-claim", CLAIM)
            live.house.succeed_soon(handle.id, {"paid": 250})
            assert handle.wait(timeout=100).succeeded
            assert handle.result() == {"paid": 250}

    def test_says_that_the_time_is_over(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            handle = client.runs.start("delay-claim", CLAIM)
            with pytest.raises(WaitTimedOutError, match=handle.id):
                handle.wait(timeout=0)
            with pytest.raises(WaitTimedOutError):
                list(handle.watch(timeout=0))

    def test_tells_why_a_run_failed(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            handle = client.runs.start("delay-claim", CLAIM)
            error = {"code": "tool-failed", "detail": "the bank said no"}
            live.house.project(handle.id, Projection(status=RunStatus.FAILED, error=error))
            assert handle.wait(timeout=100).status == "failed"
            with pytest.raises(RunFailedError, match="the bank said no") as caught:
                handle.result()
        assert (caught.value.run, caught.value.code) == (handle.id, "tool-failed")

    def test_watches_every_change(self, live: LiveGateway) -> None:
        seen: list[Run] = []
        with live.client("operator") as client:
            handle = client.runs.start("delay-claim", CLAIM)
            for run in handle.watch(timeout=100):
                seen.append(run)
                if len(seen) == 1:
                    live.house.succeed_soon(handle.id, None)
        assert [run.status for run in seen] == ["accepted", "succeeded"]


class TestLook:
    def test_lists_more_runs_than_fit_on_a_page(self, live: LiveGateway) -> None:
        started = [live.house.start() for _ in range(3)]
        with live.client("viewer") as client:
            assert {run.run for run in client.runs.list()} == set(started)
            assert len(client.runs.list(limit=2)) == 2
            assert client.runs.list(status=["succeeded", "failed"]) == []
            assert client.runs.list(definition="delay-claim", limit=1)[0].run in started

    def test_does_not_know_a_run_of_another_tenant(self, live: LiveGateway) -> None:
        run = live.house.start()
        with live.client("stranger") as client, pytest.raises(NotFoundError) as caught:
            client.runs.get(run)
        assert caught.value.code == "not-found"

    def test_shows_effects_and_open_approvals(self, live: LiveGateway) -> None:
        run = live.house.start()
        approval = live.house.open_approval(run)
        with live.client("viewer") as client:
            trace = client.runs.handle(run).trace()
        assert trace.run.run == run
        assert [each.approval for each in trace.approvals] == [approval]

    def test_cancels(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            handle = client.runs.start("delay-claim", CLAIM)
            handle.cancel("a test")
            kinds = [entry.kind for entry in handle.ledger()]
        assert kinds[-1] == "gateway:run:cancel_requested"


class TestAsyncClient:
    async def test_starts_waits_and_verifies(self, live: LiveGateway) -> None:
        async with live.async_client("admin") as client:
            handle = await client.runs.start("delay-claim", CLAIM)
            live.house.succeed_soon(handle.id, 7)
            assert (await handle.wait(timeout=100)).succeeded
            assert await handle.result() == 7
            assert [run.status async for run in handle.watch()] == ["succeeded"]
            assert (await handle.verify()).ok
