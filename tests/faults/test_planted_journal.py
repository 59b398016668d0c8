"""Each bug planted in the journal is caught by the suite that the journal passes (JOURNAL §1, §2)."""

from collections.abc import Awaitable, Callable

import pytest

from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from domain.effects import EffectClass
from tests.adapters.postgres.databases import Servers, new_database, servers, tenant
from tests.contracts import test_journal, test_journal_facts
from tests.contracts.journal_bench import JournalBench
from tests.contracts.postgres_bench import PostgresBench
from tests.faults.planted import journal_sql as planted
from tests.faults.planted.journal_sql import PlantedBug

__all__ = ["servers", "tenant"]

Check = Callable[[JournalBench], Awaitable[None]]


async def other_payment(bench: JournalBench) -> None:
    """Ask for another payment under the same key."""
    await test_journal.TestDigest().test_never_answers_another_request_with_a_recorded_payment(bench, EffectClass.MONEY)


CAUGHT: dict[str, tuple[PlantedBug, Check]] = {
    "no digest": (planted.NO_DIGEST, other_payment),
    "no lease wait": (planted.NO_LEASE_WAIT, test_journal.TestLease().test_makes_another_attempt_wait_while_the_first_may_live),
    "at most once repeated": (
        planted.AT_MOST_ONCE_REPEATED,
        test_journal.TestLease().test_asks_a_person_about_an_at_most_once_effect_when_the_lease_is_over,
    ),
    "outcome without token": (
        planted.OUTCOME_WITHOUT_TOKEN,
        test_journal.TestOutcome().test_settles_only_the_cost_of_an_attempt_that_lost_its_lease_to_one_that_is_done,
    ),
    "swallowed fact conflict": (
        planted.SWALLOWED_FACT_CONFLICT,
        test_journal_facts.TestFacts().test_that_come_again_with_other_content_stop_the_run_and_are_told,
    ),
    "swallowed fact gap": (planted.SWALLOWED_FACT_GAP, test_journal_facts.TestFacts().test_with_a_gap_write_nothing),
    "stale epoch accepted": (planted.STALE_EPOCH_ACCEPTED, test_journal_facts.TestFacts().test_of_an_older_epoch_are_refused),
    "older projection wins": (planted.OLDER_PROJECTION_WINS, test_journal_facts.TestProjection().test_that_is_older_never_wins),
}


@pytest.mark.parametrize("name", CAUGHT)
async def test_the_journals_suite_catches(name: str, servers: Servers, tenant: str) -> None:
    bug, check = CAUGHT[name]
    owner_url = new_database(servers.get("embedded 18").owner_url)
    app_url = migrate(owner_url, app_password="app-password").app_url
    assert app_url is not None
    async with Database(app_url) as db:
        await check(await PostgresBench(db, f"{tenant}-right").accept())
    planted.plant(owner_url, bug)
    async with Database(app_url) as db:
        bench = await PostgresBench(db, tenant).accept()
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            await check(bench)
