"""The example without a conductor, on real servers: both parts stand, or both are undone."""

import asyncio
import secrets

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from domain.errors import ToolFailed
from domain.ids import format_id
from examples.trip_saga.choreography import Payment, Stock
from standfast_sdk import RunTicket
from tests.workflows.bench import REQUESTER, Bench, Line, ScriptedTool
from tests.workflows.fixtures import bench, database, migrated, temporal

__all__ = ["bench", "database", "migrated", "temporal"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def ordered(bench: Bench, *charge: Line, payment: bool = True) -> tuple[list[str | None], dict[str, int]]:
    """Let both take part; return how each ended (None: well, else its code), and how often each tool was called.

    Only where the payment is missing does time pass quickly: else the stock would give up before the payment begins.
    """
    names = ("stock.reserve", "stock.release", "card.charge")
    tools = {name: ScriptedTool(name, *(charge if name == "card.charge" else ())) for name in names}
    runs = [format_id("run", secrets.token_bytes(16)) for _ in range(2)]
    tickets = [RunTicket(tenant=bench.tenant, run=run, principal=REQUESTER, correlation_id="corr") for run in runs]
    async with bench.worker(*tools.values(), workflows=[Stock, Payment]):
        client = bench.real_time if payment else bench.env.client
        stock = await client.start_workflow(Stock.run, args=[tickets[0], runs[1]], id=runs[0], task_queue=bench.queue)
        parts = [stock.result()]
        if payment:
            paying = await client.start_workflow(Payment.run, args=[tickets[1], runs[0]], id=runs[1], task_queue=bench.queue)
            parts.append(paying.result())
        ended = await asyncio.wait_for(asyncio.gather(*parts, return_exceptions=True), 60)
    return [_code(end) for end in ended], {name: len(tool.calls) for name, tool in tools.items() if tool.calls}


def _code(end: object) -> str | None:
    if not isinstance(end, WorkflowFailureError):
        assert isinstance(end, str), end
        return None
    assert isinstance(end.cause, ApplicationError)
    return end.cause.type


class TestOrder:
    async def test_stands_when_it_is_paid_for(self, bench: Bench) -> None:
        assert await ordered(bench) == ([None, None], {"stock.reserve": 1, "card.charge": 1})

    async def test_is_undone_by_each_when_the_payment_fails(self, bench: Bench) -> None:
        ended, calls = await ordered(bench, ToolFailed("declined"))
        assert ended == ["saga-called-off", "tool-failed"]
        assert calls == {"stock.reserve": 1, "card.charge": 1, "stock.release": 1}

    async def test_is_undone_when_the_other_is_not_there(self, bench: Bench) -> None:
        [ended], calls = await ordered(bench, payment=False)
        assert ended is not None
        assert calls == {"stock.reserve": 1, "stock.release": 1}
