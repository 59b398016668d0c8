"""The store of redrives and forks, on both versions of PostgreSQL and on the fake; and executions that a run does not follow."""

import asyncio
from dataclasses import dataclass

import pytest
from pydantic import JsonValue

from adapters.postgres.lineage import PostgresLineageStore
from adapters.postgres.payloads import PostgresPayloadStore
from adapters.postgres.pool import Database
from adapters.postgres.resets import PostgresResetStore
from domain.effects import Carrier, EffectState, Intent, IntentAnswer
from domain.errors import NotRedrivable
from domain.ledger import Kind
from domain.lineage import ForkOrder, LineageStore, RedriveOrder
from domain.runs import Projection, RunLedger, RunStatus
from domain.stores import LedgerReader, RunStore
from tests.contracts.journal_bench import AT, RUN, JournalBench, carrier, fact, intent, outcome
from tests.contracts.postgres_bench import PostgresBench, new_run
from tests.fakes_stores import FakeStores

CHILD = "run_0000000000000000000000000c"
START: dict[str, JsonValue] = {"state": {"v": 1}, "program": "p"}


@dataclass
class Stores:
    """What redrives and forks stand on."""

    tenant: str
    lineage: LineageStore
    runs: RunStore
    ledger: LedgerReader
    run_ledger: RunLedger

    async def end(self, status: RunStatus = RunStatus.FAILED, *, epoch: int = 1) -> None:
        """Let the run of the bench end."""
        who = Carrier(tenant=self.tenant, run=RUN, epoch=epoch, principal="prn_a", correlation_id="corr")
        await self.run_ledger.flush(who, Projection(status=status), fact_seq=0)

    def order(self, *, epoch: int = 1, reason: str = "") -> RedriveOrder:
        """Build an order to redrive it."""
        same = {"tenant": self.tenant, "run": RUN, "principal": "prn_b", "at": AT}
        return RedriveOrder(**same, epoch=epoch, fact_head=0, step="settle.pay", kept=2, after="t-1", start=dict(START), reason=reason)

    def fork(self) -> ForkOrder:
        """Build an order to fork it."""
        return ForkOrder(
            run=new_run(self.tenant, CHILD), parent=RUN, at="pay", effects="simulated", changed=("model",), kept=1, start=dict(START)
        )

    async def kinds(self, run: str) -> list[str]:
        """Return the kinds of a run's ledger."""
        return [entry.kind for entry in await self.ledger.entries(self.tenant, run)]


def of_postgres(bench: PostgresBench, db: Database) -> Stores:
    """Return the stores on PostgreSQL."""
    lineage = PostgresLineageStore(db, bench.cipher, bench.runs, PostgresPayloadStore(db, bench.cipher))
    return Stores(bench.tenant, lineage, bench.runs, bench.ledger, bench.journal)


@pytest.fixture(params=["fake", "postgres"])
async def stores(request: pytest.FixtureRequest, tenant: str, db: Database) -> Stores:
    """One accepted run."""
    if request.param == "postgres":
        return of_postgres(await PostgresBench(db, tenant).accept(), db)
    fakes = FakeStores()
    await fakes.runs.accept(new_run(tenant))
    return Stores(tenant, fakes.lineage, fakes.runs, fakes.ledger, fakes.run_ledger)


class TestRedrive:
    async def test_opens_the_run_in_its_next_epoch(self, stores: Stores) -> None:
        await stores.end()
        row = await stores.lineage.redrive(stores.order())
        assert (row.status, row.epoch, row.closed_at, row.error) == (RunStatus.RUNNING, 2, None, None)
        assert Kind.RUN_REDRIVEN in await stores.kinds(RUN)

    @pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.RUNNING, RunStatus.EXPIRED])
    async def test_is_for_runs_that_ended_badly(self, stores: Stores, status: RunStatus) -> None:
        await stores.end(status)
        with pytest.raises(NotRedrivable):
            await stores.lineage.redrive(stores.order())

    async def test_is_compared_with_the_epoch_it_was_made_for(self, stores: Stores) -> None:
        await stores.end()
        told = await asyncio.gather(*(stores.lineage.redrive(stores.order()) for _ in range(3)), return_exceptions=True)
        assert sorted(isinstance(each, NotRedrivable) for each in told) == [False, True, True]
        await stores.end(epoch=2)
        assert (await stores.lineage.redrive(stores.order(epoch=2))).epoch == 3

    async def test_stays_open_against_the_epoch_before(self, stores: Stores) -> None:
        await stores.end()
        await stores.lineage.redrive(stores.order())
        assert not await stores.runs.close_externally(stores.tenant, RUN, status=RunStatus.FAILED, reason="old", at=AT, epoch=1)
        assert (await stores.runs.get(stores.tenant, RUN)).status is RunStatus.RUNNING


class TestRequests:
    async def test_are_told_in_order_with_who_asked_and_why(self, stores: Stores) -> None:
        await stores.end()
        await stores.lineage.redrive(stores.order(reason="the bank is back"))
        whys: tuple[JsonValue, ...] = ({"reason": "twice"}, None)
        for why in whys:
            await stores.runs.append_entry(
                stores.tenant, RUN, kind=Kind.RUN_CANCEL_REQUESTED, principal="prn_c", at=AT, data={}, content=why
            )
        found = await stores.lineage.requests(stores.tenant, RUN)
        assert [(each.what, each.by, each.reason) for each in found] == [
            ("redrive", "prn_b", "the bank is back"),
            ("cancel", "prn_c", "twice"),
            ("cancel", "prn_c", None),
        ]

    async def test_keep_their_reasons_out_of_the_ledger(self, stores: Stores) -> None:
        await stores.end()
        await stores.lineage.redrive(stores.order(reason="Mrs Green called"))
        told = {entry.kind: entry for entry in await stores.ledger.entries(stores.tenant, RUN)}
        assert not any(b"Green" in entry.body for entry in told.values())
        assert told[Kind.RUN_REDRIVEN].payload_digest is not None

    async def test_of_another_tenant_are_none(self, stores: Stores) -> None:
        await stores.end()
        await stores.lineage.redrive(stores.order(reason="x"))
        assert await stores.lineage.requests("other-tenant", RUN) == ()


class TestContinuation:
    async def test_is_held_by_one_process_until_it_is_started(self, stores: Stores) -> None:
        await stores.end()
        await stores.lineage.redrive(stores.order())
        assert await stores.lineage.unstarted(stores.tenant, seconds=0, limit=5) == [(RUN, 2)]
        found = await stores.lineage.claim(stores.tenant, RUN, 2, lease_s=60)
        assert found is not None
        assert (found.kind, found.after, found.start) == ("redrive", "t-1", START)
        assert await stores.lineage.claim(stores.tenant, RUN, 2, lease_s=60) is None
        await stores.lineage.mark_started(stores.tenant, RUN, 2)
        assert await stores.lineage.unstarted(stores.tenant, seconds=0, limit=5) == []

    async def test_of_another_tenant_does_not_exist(self, stores: Stores) -> None:
        await stores.end()
        await stores.lineage.redrive(stores.order())
        assert await stores.lineage.claim("other-tenant", RUN, 2, lease_s=60) is None


class TestFork:
    async def test_is_accepted_once_and_told_in_both_ledgers(self, stores: Stores) -> None:
        for _ in range(2):
            row = await stores.lineage.fork(stores.fork())
            assert (row.run, row.status, row.parent_run, row.fork_step) == (CHILD, RunStatus.ACCEPTED, RUN, "pay")
        assert (await stores.kinds(RUN)).count(Kind.RUN_FORKED) == 1
        assert await stores.kinds(CHILD) == [Kind.RUN_ACCEPTED, Kind.RUN_FORKED]
        found = await stores.lineage.lineage(stores.tenant, CHILD)
        assert found is not None
        assert (found.parent, found.step, found.effects) == (RUN, "pay", "simulated")
        assert await stores.lineage.lineage(stores.tenant, RUN) is None

    async def test_keeps_the_state_it_begins_with(self, stores: Stores) -> None:
        await stores.lineage.fork(stores.fork())
        assert await stores.lineage.forked_start(stores.tenant, CHILD) == START
        assert await stores.lineage.forked_start(stores.tenant, RUN) is None
        assert (await stores.lineage.past(stores.tenant, CHILD)).base is not None

    async def test_is_never_started_from_its_definition(self, stores: Stores) -> None:
        await stores.lineage.fork(stores.fork())
        accepted = await stores.runs.accepted_before(stores.tenant, seconds=0, limit=5)
        assert CHILD not in [row.run for row in accepted]


class TestPast:
    async def test_is_what_journal_inbox_and_ledger_say(self, tenant: str, db: Database) -> None:
        bench = await PostgresBench(db, tenant).accept()
        stores = of_postgres(bench, db)
        await bench.journal.intent(intent(bench, fact(1)))
        await bench.journal.outcome(outcome(bench, output={"paid": 80}))
        past = await stores.lineage.past(tenant, RUN)
        [effect] = past.effects
        assert (effect.place, effect.state, effect.output) == (("settle.pay", 1), EffectState.DONE, {"paid": 80})
        assert (past.epoch, past.fact_head, past.fact_digest) == (1, 1, fact(1).digest())

    async def test_opens_failures_again_by_a_redrive(self, tenant: str, db: Database) -> None:
        bench = await PostgresBench(db, tenant).accept()
        stores = of_postgres(bench, db)
        denied = {"code": "tool-failed", "detail": "no", "retryable": "false"}
        await bench.journal.intent(intent(bench))
        await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error=denied))
        assert (await bench.journal.intent(intent(bench, token="second"))).answer is IntentAnswer.FAILED
        await stores.end()
        await stores.lineage.redrive(stores.order())
        assert (await bench.journal.intent(intent(bench, token="third", epoch=2))).answer is IntentAnswer.GO


class TestExecutions:
    async def test_of_the_same_epoch_that_are_others_are_told_so(self, bench: JournalBench) -> None:
        await bench.journal.intent(_by(intent(bench), "t-1"))
        assert (await bench.journal.intent(_by(intent(bench, token="second"), "t-2"))).answer is IntentAnswer.UNLINKED
        assert (await bench.journal.intent(_by(intent(bench), "t-1"))).answer is IntentAnswer.GO

    async def test_of_the_next_epoch_are_followed(self, bench: JournalBench) -> None:
        await bench.journal.intent(_by(intent(bench), "t-1"))
        second = carrier(bench, epoch=2).model_copy(update={"temporal_run_id": "t-2"})
        await bench.journal.flush(second, Projection(), fact_seq=0)
        assert (await bench.journal.intent(_by(intent(bench, token="second", step="b", epoch=2), "t-2"))).answer is IntentAnswer.GO
        assert (await bench.journal.intent(_by(intent(bench, token="third", step="c"), "t-1"))).answer is IntentAnswer.UNLINKED

    async def test_that_are_adopted_go_on_in_the_next_epoch(self, tenant: str, db: Database) -> None:
        bench, resets = await PostgresBench(db, tenant).accept(), PostgresResetStore(db)
        await bench.journal.intent(_by(intent(bench, fact(1)), "t-1"))
        assert await resets.point(tenant, RUN, temporal_run_id="t-2") is None
        points = await asyncio.gather(*(resets.adopt(tenant, RUN, temporal_run_id="t-2", at=AT) for _ in range(3)))
        assert [(point.epoch, point.fact_head, point.fact_digest) for point in points] == [(2, 1, fact(1).digest())] * 3
        entries = [entry.kind for entry in await bench.entries()]
        assert entries.count(Kind.RUN_RESET) == 1
        late = await bench.journal.intent(_by(intent(bench, token="second", step="b"), "t-1"))
        assert late.answer is IntentAnswer.UNLINKED
        assert (await bench.verification()).ok

    async def test_that_are_adopted_learn_which_calls_may_have_happened(self, tenant: str, db: Database) -> None:
        bench, resets = await PostgresBench(db, tenant).accept(), PostgresResetStore(db)
        failed = {"code": "tool-failed", "detail": "no", "retryable": "true"}
        for place, ended in enumerate((None, EffectState.DONE, EffectState.FAILED, EffectState.FAILED, EffectState.IN_DOUBT), start=1):
            asked = _by(intent(bench, step=f"s{place}", attempt=1 + (place == 4)), "t-1")
            asked = asked.model_copy(update={"key": asked.key.model_copy(update={"call": "call"})})
            await bench.journal.intent(asked)
            if ended is not None:
                told = outcome(bench, state=ended, attempt=asked.attempt, error=None if ended is EffectState.DONE else failed)
                await bench.journal.outcome(told.model_copy(update={"key": asked.key}))
        point = await resets.adopt(tenant, RUN, temporal_run_id="t-2", at=AT)
        assert sorted(point.tried) == ["s1#1/call", "s4#1/call", "s5#1/call"]
        assert await resets.point(tenant, RUN, temporal_run_id="t-2") == point.model_copy(update={"replaced": ""})


def _by(asked: Intent, temporal_run_id: str) -> Intent:
    """Let an execution ask."""
    return asked.model_copy(
        update={"carrier": asked.carrier.model_copy(update={"temporal_run_id": temporal_run_id}), "temporal_run_id": temporal_run_id}
    )
