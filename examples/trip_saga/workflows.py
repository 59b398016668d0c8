"""Two workflows: a trip, and the car of a trip, which is a child with a run of its own.

The trip books flight and hotel at once, has the child rent a car, charges the card (the pivot: from here on nothing is undone), and sends
the tickets until that succeeds. Whatever fails before the charge, or a cancellation, gives everything back: the child's car, too.
"""

from pydantic import JsonValue
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from standfast_sdk import Call, HandedOver, Made, Run, RunTicket, Saga, Undoing

FLIGHTS = ["flights.book", "flights.cancel"]
HOTELS = ["hotels.book", "hotels.cancel"]
CARS = ["cars.rent", "cars.return"]
MONEY = ["card.charge", "mail.tickets"]


def booking_of(made: Made) -> dict[str, JsonValue]:
    """Cancel by the traveller's name, which is known even when the booking's answer was lost."""
    return {"traveller": made.arguments["traveller"]}


@workflow.defn
class Car:
    """Rents a car; what would give it back goes to the trip."""

    @workflow.run
    async def run(self, ticket: RunTicket, traveller: str) -> HandedOver:
        """Rent it."""
        async with Run(ticket, tools=CARS) as run:
            async with Saga(run, "car", hand_over=True) as saga:
                undo = Undoing(tool="cars.return", arguments=booking_of, if_unknown="compensate")
                car = await saga.step("rent", Call(tool="cars.rent", arguments={"traveller": traveller}), undo=undo)
            return saga.handed_over(car)


@workflow.defn
class Trip:
    """Books a trip."""

    @workflow.run
    async def run(self, ticket: RunTicket, traveller: str) -> dict[str, JsonValue]:
        """Book it, or give everything back."""
        who: dict[str, JsonValue] = {"traveller": traveller}
        async with Run(ticket, tools=[*FLIGHTS, *HOTELS, *MONEY]) as run, Saga(run, "trip") as trip:
            async with Saga(run, "seats", within=trip) as seats:
                flight = Undoing(tool="flights.cancel", arguments=booking_of, if_unknown="compensate")
                hotel = Undoing(tool="hotels.cancel", arguments=booking_of, if_unknown="compensate")
                booked = await seats.gather(
                    seats.step("flight", Call(tool="flights.book", arguments=who), undo=flight),
                    seats.step("hotel", Call(tool="hotels.book", arguments=who), undo=hotel),
                )
            car = await trip.child("car", Car.run, traveller)
            await trip.step("charge", Call(tool="card.charge", arguments=who), pivot=True)
            await trip.step("tickets", Call(tool="mail.tickets", arguments=who), retriable=True)
            return {"flight": booked[0], "hotel": booked[1], "car": car}
