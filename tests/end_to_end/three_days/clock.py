"""One clock for the whole scenario: the gateway asks it, and every run is started on it and moved along with it.

Temporal keeps a virtual clock for each workflow. A run starts with a delay that the server skips at once, so its first task already happens
at the scenario's time; `TimeMachine.go_to` then moves all open runs by the same stretch.
"""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import FastForwardConfig, TimeSkippingConfig
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from tests.quiet_runs import quiet
from workflows.messages import RUN_WORKFLOW

ZONE = ZoneInfo("Europe/Berlin")
"""Where the offices are. Its clocks go forward on the last Sunday of March (tz database, rule EU)."""


def spring_friday(today: date) -> date:
    """Return the Friday before the next weekend on which the clocks go forward, at least three days ahead."""
    for year in (today.year, today.year + 1):
        end = date(year, 3, 31)
        friday = end - timedelta(days=(end.weekday() + 1) % 7 + 2)
        if friday >= today + timedelta(days=3):
            return friday
    raise AssertionError("one of two years has a spring to come")


class WorldClock:
    """What time it is in the scenario: as far ahead of the machine's clock as it was moved."""

    def __init__(self, begins: datetime) -> None:
        self.ahead = self.ahead_at(begins)

    def ahead_at(self, instant: datetime) -> timedelta:
        """Return how far ahead the clock is when it shows an instant now."""
        return instant - datetime.now(UTC)

    def now(self) -> datetime:
        """Return the scenario's time, UTC."""
        return datetime.now(UTC) + self.ahead

    def at(self, days: int, hour: str, *, since: date) -> datetime:
        """Return the instant at which clocks in ZONE show `hour`, so many days after a date."""
        return datetime.combine(since + timedelta(days=days), time.fromisoformat(hour), tzinfo=ZONE).astimezone(UTC)


class TimeMachine(Interceptor):
    """Starts runs at the scenario's time, and moves them along with it. Give it to the gateway's client as an interceptor."""

    def __init__(self, clock: WorldClock) -> None:
        self.clock = clock
        self.open: set[str] = set()

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's own name
        """Stamp every start of a run."""
        return _StartsAhead(next, self)

    async def go_to(self, instant: datetime, client: Client) -> None:
        """Move the clock and every open run; returns when no run is before the instant any more."""
        stretch = instant - self.clock.now()
        assert stretch > timedelta(), f"the clock shows {self.clock.now()} and does not go back to {instant}"
        self.clock.ahead += stretch
        skipper = TimeSkipper(client)
        await asyncio.gather(*(self._move(skipper, client.get_workflow_handle(run), stretch) for run in sorted(self.open)))

    async def _move(self, skipper: TimeSkipper, run: WorkflowHandle[object, object], stretch: timedelta) -> None:
        try:
            await quiet(run)
            moved = await skipper.fast_forward(run, stretch)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            moved = False
        if not moved:  # it has ended
            self.open.discard(run.id)


class _StartsAhead(OutboundInterceptor):
    def __init__(self, following: OutboundInterceptor, machine: TimeMachine) -> None:
        super().__init__(following)
        self._machine = machine

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[object, object]:  # noqa: A002 - the SDK's own name
        """Start a run as late as the scenario is ahead, and have the server skip that; other workflows stay in real time."""
        if input.workflow == RUN_WORKFLOW:
            ahead = self._machine.clock.ahead
            stretch = Duration()
            stretch.FromTimedelta(ahead)
            input.start_delay = ahead
            input.time_skipping_config = TimeSkippingConfig(
                enabled=True, fast_forward_config=FastForwardConfig(id="start", duration=stretch)
            )
            self._machine.open.add(input.id)
        return await super().start_workflow(input)
