"""The example's trip, on real servers: whole, or given back, whatever fails, and whoever ends it."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from domain.errors import ToolFailed
from domain.ids import format_id
from domain.runs import RunStatus
from examples.trip_saga.workflows import CARS, FLIGHTS, HOTELS, MONEY, Car, Trip
from standfast_sdk import RunTicket
from tests.workflows.bench import REQUESTER, Bench, Gate, Line, LiveRun, ScriptedTool
from tests.workflows.fixtures import bench, database, migrated, temporal
from workflows.messages import COMPENSATE

__all__ = ["bench", "database", "migrated", "temporal"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Agency:
    """The tools of the trip; a script by name."""

    def __init__(self, **scripts: Sequence[Line]) -> None:
        names = [*FLIGHTS, *HOTELS, *CARS, *MONEY]
        self.tools = {name: ScriptedTool(name, *scripts.get(name.replace(".", "_"), [])) for name in names}

    @property
    def calls(self) -> dict[str, int]:
        """How often each tool was called."""
        return {name: len(tool.calls) for name, tool in self.tools.items() if tool.calls}


WHOLE = dict.fromkeys(("flights.book", "hotels.book", "cars.rent", "card.charge", "mail.tickets"), 1)


@asynccontextmanager
async def travelling(bench: Bench, agency: Agency) -> AsyncGenerator[LiveRun]:
    """Start a trip beside a worker."""
    run = format_id("run", secrets.token_bytes(16))
    ticket = RunTicket(tenant=bench.tenant, run=run, principal=REQUESTER, correlation_id="corr")
    async with bench.worker(*agency.tools.values(), workflows=[Trip, Car]):
        yield await bench.begin(Trip.run, ticket, "Ada", run=run)


class TestTrip:
    async def test_is_booked_and_its_ledger_verifies(self, bench: Bench) -> None:
        agency = Agency(flights_book=[{"seat": "1A"}])
        async with travelling(bench, agency) as run:
            assert (await run.handle.result())["flight"] == {"seat": "1A"}  # pyright: ignore[reportIndexIssue] - what a trip returns
            assert (await run.row()).status is RunStatus.SUCCEEDED
            kinds = await run.kinds()
        assert agency.calls == WHOLE
        assert kinds.count("workflow:saga:completed") == 2
        assert kinds[-1] == "workflow:run:finished"

    @pytest.mark.parametrize("broken", ["flights_book", "hotels_book", "cars_rent", "card_charge"])
    async def test_gives_everything_back_when_a_step_before_the_charge_is_refused(self, bench: Bench, broken: str) -> None:
        agency = Agency(**{broken: [ToolFailed("no")]})
        async with travelling(bench, agency) as run:
            assert await run.failure() == "tool-failed"
            assert (await run.row()).status is RunStatus.FAILED
            assert (await run.kinds())[-1] == "workflow:run:finished"
        calls = agency.calls
        refused = broken.replace("_", ".")
        for book, back in (("flights.book", "flights.cancel"), ("hotels.book", "hotels.cancel"), ("cars.rent", "cars.return")):
            assert calls.get(back, 0) == (1 if book in calls and book != refused else 0), (book, calls)
        assert "mail.tickets" not in calls

    async def test_goes_on_to_its_end_when_it_is_cancelled_at_the_charge(self, bench: Bench) -> None:
        gate = Gate()
        agency = Agency(card_charge=[gate])
        async with travelling(bench, agency) as run:
            await gate.reached.wait()
            await run.handle.cancel()
            await run.waits_for_event("WORKFLOW_EXECUTION_CANCEL_REQUESTED")
            gate.opened.set()
            assert await run.failure() == "cancelled"
        assert agency.calls == WHOLE

    async def test_asks_a_person_when_the_tickets_cannot_be_sent(self, bench: Bench) -> None:
        agency = Agency(mail_tickets=[ToolFailed("no such address")])
        async with travelling(bench, agency) as run:
            await run.complete(await run.task("failed_step"), "did_not_happen")
            await run.handle.result()
        assert agency.calls == {**WHOLE, "mail.tickets": 2}

    async def test_asks_a_person_when_something_cannot_be_given_back(self, bench: Bench) -> None:
        agency = Agency(card_charge=[ToolFailed("declined")], hotels_cancel=[ToolFailed("closed")])
        async with travelling(bench, agency) as run:
            await run.complete(await run.task("failed_compensation"), "happened")
            assert await run.failure() == "tool-failed"
        assert agency.calls["flights.cancel"] == 1

    async def test_is_given_back_on_request(self, bench: Bench) -> None:
        gate = Gate()
        agency = Agency(cars_rent=[gate])
        async with travelling(bench, agency) as run:
            await gate.reached.wait()
            await run.handle.signal(COMPENSATE)
            gate.opened.set()
            assert await run.failure() == "compensated-by-hand"
            assert (await run.row()).status is RunStatus.FAILED
        assert (agency.calls["flights.cancel"], agency.calls["hotels.cancel"], agency.calls["cars.return"]) == (1, 1, 1)

    async def test_asks_a_person_about_a_child_that_was_terminated(self, bench: Bench) -> None:
        gate = Gate()
        agency = Agency(cars_rent=[gate])
        async with travelling(bench, agency) as run:
            await gate.reached.wait()
            history = await run.handle.fetch_history()
            started = [event.child_workflow_execution_started_event_attributes for event in history.events]
            [child] = [each.workflow_execution.workflow_id for each in started if each.workflow_execution.workflow_id]
            await bench.env.client.get_workflow_handle(child).terminate()
            task = await run.task("failed_compensation")
            assert child in task.projection.detail
            await run.complete(task, "happened")
            assert await run.failure() == "step-failed"
            gate.opened.set()
        assert (agency.calls["flights.cancel"], agency.calls["hotels.cancel"]) == (1, 1)

    async def test_goes_on_with_another_worker(self, bench: Bench) -> None:
        gate = Gate()
        agency = Agency(card_charge=[gate])
        async with travelling(bench, agency) as run:
            await gate.reached.wait()
        async with bench.worker(*agency.tools.values(), workflows=[Trip, Car]):
            await run.handle.result()
        assert {**agency.calls, "card.charge": 1} == WHOLE
