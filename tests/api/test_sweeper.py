"""The sweeper heals what a crash left between PostgreSQL and Temporal, and does nothing twice."""

import asyncio
import contextlib
import dataclasses

import pytest

from api.sweeper import IDLE_AFTER_S, START_AFTER_S, START_WINDOW, TURNS_AT_ONCE, Sweeper
from domain.errors import InvalidDefinition, StandfastError, Unavailable
from domain.registry import RegisteredDefinition
from domain.runs import RunStatus
from domain.stores import RunRow
from tests.api.gateway import Gateway, wait_for
from tests.fakes_registry import FakeDefinitionStore
from tests.fakes_runs import FakeRunStore


def sweep(house: Gateway) -> None:
    """Go round once."""
    wait_for(sweeper(house).round())


def sweeper(house: Gateway, *, turn_s: float = 5, round_s: float = 5, **ports: object) -> Sweeper:
    """Build a sweeper; `ports` replace the gateway's."""
    deps = dataclasses.replace(house.deps, **ports)
    return Sweeper(deps, pause_s=0, turn_s=turn_s, round_s=round_s)


def accepted_while_temporal_was_down(house: Gateway) -> str:
    """Accept a run that could not be started."""
    house.temporal.down = Unavailable("Temporal is away")
    run = house.start()
    house.temporal.down = None
    assert run not in house.temporal.started
    return run


def status(house: Gateway, run: str) -> RunStatus:
    """Return the status of a run's row."""
    return house.stores.database.run("default", run).status


class TestAcceptedRuns:
    def test_are_started_when_their_request_left_them(self, house: Gateway) -> None:
        run = accepted_while_temporal_was_down(house)
        house.stores.database.pass_time(seconds=START_AFTER_S + 1)
        sweep(house)
        assert run in house.temporal.started

    def test_are_left_to_the_request_that_is_just_accepting_them(self, house: Gateway) -> None:
        run = accepted_while_temporal_was_down(house)
        sweep(house)
        assert run not in house.temporal.started

    def test_expire_when_they_are_older_than_the_window(self, house: Gateway) -> None:
        run = accepted_while_temporal_was_down(house)
        house.stores.database.pass_time(seconds=START_WINDOW.total_seconds() + 1)
        sweep(house)
        assert run not in house.temporal.started
        assert status(house, run) is RunStatus.EXPIRED

    def test_that_can_never_start_expire_with_a_reason_that_quotes_nothing(self, house: Gateway) -> None:
        class BrokenDefinitions(FakeDefinitionStore):
            async def get(self, tenant: str, name: str, version_range: str | None) -> RegisteredDefinition:
                del tenant, name, version_range
                raise InvalidDefinition("the input of Ada Lovelace does not fit")

        run = accepted_while_temporal_was_down(house)
        house.stores.database.pass_time(seconds=START_AFTER_S + 1)
        wait_for(sweeper(house, definitions=BrokenDefinitions(house.stores.database)).round())
        row = house.stores.database.run("default", run)
        assert (row.status, row.reason) == (RunStatus.EXPIRED, "invalid-definition: The definition has mistakes")


class TestStoredDecisions:
    def test_are_sent_again_until_the_run_answers(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        house.temporal.down = Unavailable("Temporal is away")
        answer = house.decide(approval)
        assert answer.status_code == 202
        house.temporal.down = None
        house.stores.database.pass_time(seconds=house.deps.decision_timeout_s + 1)
        sweep(house)
        assert house.stores.database.decisions["default", answer.json()["decision_id"]].state == "accepted"
        sends = house.temporal.sends
        sweep(house)
        assert house.temporal.sends == sends


class TestStoredAnswersToTasks:
    def test_reach_the_run_once(self, house: Gateway) -> None:
        run = house.start()
        task = house.open_task(run)
        house.temporal.down = Unavailable("Temporal is away")
        answer = house.client("operator").post(f"/v1/tasks/{task}/complete", json={"resolution": "did_not_happen"})
        assert answer.status_code == 202
        house.temporal.down = None
        sweep(house)
        sweep(house)
        assert [completion.task for completion in house.temporal.completions] == [task]


class TestOpenRuns:
    @pytest.mark.parametrize(
        ("said", "becomes"),
        [("terminated", RunStatus.TERMINATED), ("timed_out", RunStatus.TIMED_OUT), ("failed", RunStatus.FAILED)],
    )
    def test_are_closed_when_temporal_ended_them_without_workflow_code(self, house: Gateway, said: str, becomes: RunStatus) -> None:
        run = house.start()
        house.open_task(run)
        house.temporal.ended[run] = said
        house.stores.database.pass_time(seconds=IDLE_AFTER_S + 1)
        sweep(house)
        assert status(house, run) is becomes

    def test_stay_open_while_temporal_runs_them(self, house: Gateway) -> None:
        run = house.start()
        house.open_task(run)
        house.stores.database.pass_time(seconds=IDLE_AFTER_S + 1)
        sweep(house)
        assert status(house, run) is RunStatus.IN_DOUBT

    def test_whose_neighbour_breaks_are_healed_all_the_same(self, house: Gateway) -> None:
        first, second = house.start(), house.start()
        for run in (first, second):
            house.open_task(run)
            house.temporal.ended[run] = "terminated"

        class BreaksOneRow(FakeRunStore):
            async def close_externally(self, tenant: str, run: str, *, status: RunStatus, reason: str, at: str, epoch: int | None) -> bool:
                if run == first:
                    raise ValueError("this row cannot be read")
                return await super().close_externally(tenant, run, status=status, reason=reason, at=at, epoch=epoch)

        house.stores.database.pass_time(seconds=IDLE_AFTER_S + 1)
        wait_for(sweeper(house, runs=BreaksOneRow(house.stores.database)).round())
        assert [status(house, run) for run in (first, second)] == [RunStatus.IN_DOUBT, RunStatus.TERMINATED]


class TroubledRuns(FakeRunStore):
    """Runs whose tenants called `a…` give trouble: an error, or no answer for ever."""

    def __init__(self, house: Gateway, trouble: Exception | None, *, tenants: int) -> None:
        super().__init__(house.stores.database)
        self._trouble = trouble
        self.troubled = tuple(f"a{n}" for n in range(tenants))
        house.stores.database.tenants[:] = [*self.troubled, "default"]

    async def accepted_before(self, tenant: str, *, seconds: float, limit: int) -> list[RunRow]:
        """Make trouble, or answer."""
        if tenant not in self.troubled:
            return await super().accepted_before(tenant, seconds=seconds, limit=limit)
        if self._trouble is not None:
            raise self._trouble
        await asyncio.Event().wait()
        return []


@pytest.fixture
def left_run(house: Gateway) -> str:
    """A run of the tenant `default` that waits to be started by the sweeper."""
    run = accepted_while_temporal_was_down(house)
    house.stores.database.pass_time(seconds=START_AFTER_S + 1)
    return run


class TestTenants:
    @pytest.mark.parametrize("trouble", [ValueError("broken"), StandfastError("broken"), Unavailable("away"), TimeoutError()])
    def test_do_not_suffer_from_one_that_breaks(self, house: Gateway, left_run: str, trouble: Exception) -> None:
        wait_for(sweeper(house, runs=TroubledRuns(house, trouble, tenants=9)).round())
        assert left_run in house.temporal.started

    def test_do_not_suffer_from_those_that_never_answer(self, house: Gateway, left_run: str) -> None:
        wait_for(sweeper(house, turn_s=0.02, runs=TroubledRuns(house, None, tenants=TURNS_AT_ONCE + 1)).round())
        assert left_run in house.temporal.started

    def test_that_a_round_did_not_reach_come_first_in_the_next_one(self, house: Gateway, left_run: str) -> None:
        sweeping = sweeper(house, turn_s=60, round_s=0.05, runs=TroubledRuns(house, None, tenants=TURNS_AT_ONCE))
        wait_for(sweeping.round())
        assert left_run not in house.temporal.started
        wait_for(sweeping.round())
        assert left_run in house.temporal.started

    def test_that_never_answers_to_one_kind_of_healing_is_healed_in_the_others(self, house: Gateway) -> None:
        runs = TroubledRuns(house, None, tenants=0)
        run = house.start()
        house.open_task(run)
        house.temporal.ended[run] = "terminated"
        house.stores.database.pass_time(seconds=IDLE_AFTER_S + 1)
        runs.troubled = ("default",)
        wait_for(sweeper(house, turn_s=0.05, runs=runs).round())
        assert status(house, run) is RunStatus.TERMINATED


class TestSweeping:
    @pytest.mark.parametrize("trouble", [ValueError("broken"), Unavailable("PostgreSQL is away")])
    def test_goes_on_after_a_round_that_broke(self, house: Gateway, left_run: str, trouble: Exception) -> None:
        class LostOnce(FakeRunStore):
            asked = 0

            async def tenants(self) -> list[str]:
                self.asked += 1
                if self.asked == 1:
                    raise trouble
                return await super().tenants()

        async def until_started() -> None:
            started = asyncio.Event()
            house.temporal.on_start = lambda _start: started.set()
            sweeping = asyncio.create_task(sweeper(house, runs=LostOnce(house.stores.database)).run())
            await asyncio.wait_for(started.wait(), 60)
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping

        wait_for(until_started())
        assert left_run in house.temporal.started
