"""Redrives, forks and comparisons through both clients against the real gateway."""

import pytest

from standfast_client import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from tests.api.test_lineage import failed_run
from tests.clients.live_gateway import LiveGateway


@pytest.fixture(name="failed")
def _failed(live: LiveGateway) -> str:
    return failed_run(live.house)


class TestRedrive:
    def test_goes_on_at_the_step_that_failed(self, live: LiveGateway, failed: str) -> None:
        with live.client("operator") as client:
            handle = client.runs.handle(failed)
            found = handle.redrive("the bank is back")
            assert (found.step, found.epoch, found.kept) == ("second", 2, 1)
            [request] = handle.read().requests
        assert (request.what, request.reason, request.by) == ("redrive", "the bank is back", live.house.principals["operator"].id)

    def test_is_refused_for_an_open_run_and_to_a_developer(self, live: LiveGateway, failed: str) -> None:
        with live.client("operator") as client, pytest.raises(ConflictError) as caught:
            client.runs.handle(live.house.start()).redrive()
        assert caught.value.code == "not-redrivable"
        with live.client("developer") as client, pytest.raises(ForbiddenError):
            client.runs.handle(failed).redrive()

    async def test_is_repeated_with_its_own_key_alone(self, live: LiveGateway, failed: str) -> None:
        async with live.async_client("operator") as client:
            handle = client.runs.handle(failed)
            first = await handle.redrive("mended", idempotency_key="k")
            assert await handle.redrive("mended", idempotency_key="k") == first


class TestFork:
    def test_gives_a_handle_of_the_new_run(self, live: LiveGateway, failed: str) -> None:
        with live.client("developer") as client:
            child = client.runs.handle(failed).fork("second", arguments={"of": "other"}, config={"limit": 7})
            lineage = child.read().forked_from
        assert lineage is not None
        assert (lineage.parent, lineage.step, lineage.effects) == (failed, "second", "simulated")

    def test_names_the_mistake_and_its_place(self, live: LiveGateway, failed: str) -> None:
        with live.client("developer") as client, pytest.raises(InvalidInputError) as caught:
            client.runs.handle(failed).fork("second", config={"limit": "many"})
        assert [fault.where for fault in caught.value.errors] == ["/changes/config/limit"]

    async def test_with_the_same_key_is_the_same_run(self, live: LiveGateway, failed: str) -> None:
        async with live.async_client("developer") as client:
            handle = client.runs.handle(failed)
            first, again = await handle.fork("second", idempotency_key="k"), await handle.fork("second", idempotency_key="k")
        assert first.id == again.id


class TestCompare:
    async def test_shows_two_runs_side_by_side(self, live: LiveGateway, failed: str) -> None:
        async with live.async_client("viewer") as client:
            found = await client.runs.handle(failed).compare(failed)
        assert (found.a.run, found.same_outcome, found.related) == (failed, True, None)

    def test_does_not_find_a_strangers_run(self, live: LiveGateway, failed: str) -> None:
        with live.client("stranger") as client, pytest.raises(NotFoundError):
            client.runs.handle(failed).compare(failed)
