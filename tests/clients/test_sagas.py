"""Sagas through both clients against the real gateway."""

import pytest

from tests.api.test_sagas import settling_run
from tests.clients.live_gateway import LiveGateway


@pytest.fixture(name="run")
def _run(live: LiveGateway) -> str:
    return settling_run(live.house)


class TestSagas:
    def test_are_read_with_their_steps(self, live: LiveGateway, run: str) -> None:
        with live.client("viewer") as client:
            [saga] = client.runs.handle(run).sagas().sagas
        assert (saga.mode, [step.state for step in saga.steps]) == ("parallel", ["done", "running"])

    async def test_are_undone_on_request(self, live: LiveGateway, run: str) -> None:
        async with live.async_client("operator") as client:
            handle = client.runs.handle(run)
            found = await handle.compensate("wrong customer")
            assert [saga.state for saga in (await handle.sagas()).sagas] == ["running"]
        assert ([each.what for each in found.requests], live.house.temporal.compensated) == (["compensate"], [run])
