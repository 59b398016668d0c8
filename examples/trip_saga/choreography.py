"""An order that nobody conducts: stock and payment tell each other how far they are, and each undoes its own part.

`Stock` reserves, tells `Payment`, and keeps its saga open until it hears `order-paid` or `payment-failed`. `Payment` charges when it hears
`stock-reserved`; when it cannot, it says so before it fails.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from examples.trip_saga.workflows import booking_of
    from standfast_sdk import Call, Run, RunTicket, Saga, SagaEvents, Undoing

PATIENCE = timedelta(hours=1)
"""How long a participant waits for the other."""


@workflow.defn
class Stock:
    """Reserves what is ordered."""

    @workflow.init
    def __init__(self, ticket: RunTicket, payment: str) -> None:
        del ticket, payment
        self._events = SagaEvents()

    @workflow.run
    async def run(self, ticket: RunTicket, payment: str) -> str:
        """Reserve, and let it stand once it is paid for."""
        async with Run(ticket, tools=["stock.reserve", "stock.release"]) as run, Saga(run, "stock") as saga:
            undo = Undoing(tool="stock.release", arguments=booking_of, if_unknown="compensate")
            await saga.step("reserve", Call(tool="stock.reserve", arguments={"traveller": "Ada"}), undo=undo)
            await self._events.tell(payment, "stock-reserved")
            await self._events.hear("order-paid", unless=["payment-failed"], within=PATIENCE)
        return "sold"


@workflow.defn
class Payment:
    """Charges for what is reserved."""

    @workflow.init
    def __init__(self, ticket: RunTicket, stock: str) -> None:
        del ticket, stock
        self._events = SagaEvents()

    @workflow.run
    async def run(self, ticket: RunTicket, stock: str) -> str:
        """Charge, and tell how it went.

        Raises:
            ApplicationError: the charge failed, and the other knows.
        """
        async with Run(ticket, tools=["card.charge"]) as run:
            await self._events.hear("stock-reserved", within=PATIENCE)
            try:
                await run.call("charge", Call(tool="card.charge", arguments={"traveller": "Ada"}))
            except ApplicationError:
                await self._events.tell(stock, "payment-failed")
                raise
            await self._events.tell(stock, "order-paid")
        return "paid"
