"""The sweeper heals what a crash left between PostgreSQL and Temporal, and does nothing twice."""

import pytest

from api.sweeper import IDLE_AFTER_S, START_AFTER_S, START_WINDOW, Sweeper
from domain.errors import Unavailable
from domain.runs import RunStatus
from tests.api.gateway import Gateway, wait_for


def sweep(house: Gateway) -> None:
    """Go round once."""
    wait_for(Sweeper(house.deps, pause_s=1).round())


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
