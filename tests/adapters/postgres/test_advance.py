"""A plain step (`journal_advance`) leaves what the two functions leave, and whatever is not plain is theirs."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial

import pytest

from adapters.postgres.advance import PLAIN_QUERY
from adapters.postgres.journal import PostgresJournal
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.pool import Database, Row
from adapters.postgres.runs import PostgresRunStore
from domain.budget import Charge
from domain.canonical import plain_digest
from domain.effects import (
    Carrier,
    EffectClass,
    EffectKey,
    EffectState,
    Intent,
    IntentAnswer,
    IntentVerdict,
    Outcome,
    OutcomeVerdict,
    RetryClass,
)
from domain.envelope import Usage
from domain.facts import Fact
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts import journal_bench
from tests.contracts.journal_bench import AT, FIRST
from tests.contracts.money_bench import MoneyBench
from tests.contracts.postgres_bench import new_run
from tests.standing_ledger import standing

FAST, SLOW = "run_00000000000000000000000001", "run_00000000000000000000000002"
Answer = tuple[OutcomeVerdict, IntentVerdict | None]


class WatchedDatabase(Database):
    """A database that notes whether a step was plain; with `by_two` it says that none is."""

    plain: tuple[bool, ...] = ()
    by_two = False

    async def select_numbered(self, query: bytes, params: Sequence[object]) -> Row:
        """Ask, and note."""
        if query != PLAIN_QUERY:
            return await super().select_numbered(query, params)
        row: Row = {"fact_head": None} if self.by_two else await super().select_numbered(query, params)
        self.plain += (row["fact_head"] is not None,)
        return row


class Twins:
    """Two runs alike: what FAST does by `journal_advance` if it may, SLOW does by the two functions."""

    def __init__(self, db: WatchedDatabase, tenant: str) -> None:
        self.db, self.tenant = db, tenant
        self.journal = PostgresJournal(db, XorCipher())
        self.reader = PostgresLedgerReader(db)

    async def accept(self) -> "Twins":
        """Accept both, and begin the effect `s0` of each."""
        for run in (FAST, SLOW):
            await PostgresRunStore(self.db, XorCipher()).accept(new_run(self.tenant, run))
            await self.journal.intent(self.intent(run, "s0"))
        return self

    def carrier(self, run: str, *facts: Fact, epoch: int = 1) -> Carrier:
        """A carrier of one of them."""
        return Carrier(tenant=self.tenant, run=run, epoch=epoch, principal="prn_a", correlation_id="corr", facts=facts)

    def intent(
        self, run: str, step: str, *facts: Fact, epoch: int = 1, token: str = FIRST, digest: str = "d" * 64, charge: Charge | None = None
    ) -> Intent:
        """The first attempt of a step's call."""
        return Intent(
            carrier=self.carrier(run, *facts, epoch=epoch),
            key=EffectKey(tenant=self.tenant, run=run, step=step, visit=1, call="call"),
            digest=digest,
            effect_class=EffectClass.READ,
            retry_class=RetryClass.IDEMPOTENT,
            subject="shop.look@1.0.0",
            kind="agent:tool:requested",
            at=AT,
            attempt=1,
            lease_token=f"{run}/{step}/{token}",
            lease_ms=60_000,
            temporal_run_id=f"temporal-{run}",
            request={"of": step},
            charge=charge,
        )

    def outcome(self, run: str, *, token: str = FIRST, state: EffectState = EffectState.DONE, usage: Usage | None = None) -> Outcome:
        """The outcome of `s0`."""
        done = state is EffectState.DONE
        return Outcome(
            carrier=self.carrier(run),
            key=EffectKey(tenant=self.tenant, run=run, step="s0", visit=1, call="call"),
            lease_token=f"{run}/s0/{token}",
            state=state,
            kind="agent:tool:called" if done else "agent:tool:failed",
            at=AT,
            attempt=1,
            output={"price": 5} if done else None,
            error=None if done else {"code": "tool-failed", "detail": "sold out", "retryable": "false"},
            usage=usage or Usage(duration_ms=7),
        )

    async def both(self, work: Callable[[str], Awaitable[Answer]]) -> tuple[Answer, Answer]:
        """Do the same for both."""
        fast = await work(FAST)
        self.db.by_two = True
        slow = await work(SLOW)
        self.db.by_two = False
        return fast, slow

    async def left(self, run: str) -> list[object]:
        """All that a run leaves: its row, effects, entries, and audit, without what differs between two runs or moments."""
        entries, verified = await standing(self.reader, self.tenant, run)
        assert verified.ok, verified.broken
        told = {"run", "recorded_at_us", "prev", "hash", "body", "payload_digest"}
        kept: list[object] = [(entry.model_dump(exclude=told), entry.payload_digest is None) for entry in entries]
        async with self.db.tenant(self.tenant) as tx:
            kept += await tx.rows(
                "SELECT epoch, status, fact_head, head_seq, input_tokens, cost_usd_micros, model, projection_fact_seq FROM runs"
                " WHERE run = %s",
                [run],
            )
            kept += await tx.rows(
                "SELECT step, visit, call, digest, epoch, attempt, effect_class, retry_class, subject, state, duration_ms, model,"
                " output_digest, split_part(lease_token, '/', 3) AS token, error->>'code' AS code, lease_until > now() AS leased,"
                " ended_at IS NULL AS under_way, ended_at >= started_at AS timed FROM effects WHERE run = %s ORDER BY step",
                [run],
            )
            kept += await tx.rows("SELECT tool, version, step, verdict, code, attempt FROM tool_calls WHERE run = %s ORDER BY seq", [run])
            rows = await tx.rows(
                "SELECT count(*) AS refs, count(p.ref) AS kept FROM effects e, unnest(ARRAY[request_ref, output_ref]) AS r(ref)"
                " LEFT JOIN payloads p ON p.ref = r.ref WHERE e.run = %s AND r.ref IS NOT NULL",
                [run],
            )
        assert rows[0]["refs"] == rows[0]["kept"]
        return [*kept, rows[0]["refs"]]


fact = partial(journal_bench.fact, step="s1", keyword="call")
"""Builds a fact."""


@pytest.fixture
async def twins(server: MigratedServer, tenant: str) -> AsyncGenerator[Twins]:
    """Two runs in the database of each version."""
    async with WatchedDatabase(server.app_url, max_size=4, timeout_s=5) as db:
        yield await Twins(db, tenant).accept()


class TestPlainStep:
    @pytest.mark.parametrize("facts", [(), (fact(1),), (fact(1, step="s0"), fact(2), fact(3))], ids=len)
    @pytest.mark.parametrize("state", [EffectState.DONE, EffectState.FAILED])
    @pytest.mark.parametrize("charge", [None, Charge(ms=5000)], ids=["free", "timed"])
    async def test_leaves_what_two_functions_leave(
        self, twins: Twins, facts: tuple[Fact, ...], state: EffectState, charge: Charge | None
    ) -> None:
        (ended, begun), slow = await twins.both(
            lambda run: twins.journal.advance(twins.outcome(run, state=state), twins.intent(run, "s1", *facts, charge=charge))
        )
        assert twins.db.plain == (True, False)
        assert begun is not None
        assert slow[1] is not None
        assert (ended.answer, begun.answer, begun.fact_head) == (slow[0].answer, IntentAnswer.GO, slow[1].fact_head)
        assert begun == slow[1]
        assert ended.output_digest == (plain_digest({"price": 5}) if state is EffectState.DONE else None)
        assert await twins.left(FAST) == await twins.left(SLOW)

    async def test_is_recorded_for_whoever_asks_again(self, twins: Twins) -> None:
        await twins.journal.advance(twins.outcome(FAST), twins.intent(FAST, "s1"))
        again = await twins.journal.intent(twins.intent(FAST, "s0", token="later"))
        assert again.recorded is not None
        assert (again.answer, again.recorded.output, again.recorded.usage.duration_ms) == (IntentAnswer.DONE, {"price": 5}, 7)
        assert (await twins.journal.intent(twins.intent(FAST, "s1", token="rival"))).answer is IntentAnswer.LEASED


class TestOtherStep:
    """Each of these is for the two functions: the answers and what is left are theirs."""

    async def same(self, twins: Twins, work: Callable[[str], Awaitable[Answer]]) -> None:
        """Do it, and compare."""
        (fast_ended, fast_begun), (slow_ended, slow_begun) = await twins.both(work)
        assert True not in twins.db.plain
        differs = {"output_ref", "wait_ms"}
        assert fast_ended.model_dump(exclude=differs) == slow_ended.model_dump(exclude=differs)
        dumped = [None if begun is None else begun.model_dump(exclude={"wait_ms", "recorded"}) for begun in (fast_begun, slow_begun)]
        assert dumped[0] == dumped[1]
        assert await twins.left(FAST) == await twins.left(SLOW)

    async def test_with_a_missing_fact(self, twins: Twins) -> None:
        await self.same(twins, lambda run: twins.journal.advance(twins.outcome(run), twins.intent(run, "s1", fact(2))))

    async def test_with_a_gap_among_its_facts(self, twins: Twins) -> None:
        await self.same(twins, lambda run: twins.journal.advance(twins.outcome(run), twins.intent(run, "s1", fact(1), fact(3))))

    async def test_with_a_fact_that_comes_again(self, twins: Twins) -> None:
        async def work(run: str) -> Answer:
            await twins.journal.intent(twins.intent(run, "other", fact(1)))
            return await twins.journal.advance(twins.outcome(run), twins.intent(run, "s1", fact(1), fact(2)))

        await self.same(twins, work)

    async def test_of_an_attempt_that_lost_its_effect(self, twins: Twins) -> None:
        await self.same(twins, lambda run: twins.journal.advance(twins.outcome(run, token="other"), twins.intent(run, "s1")))

    async def test_that_comes_again(self, twins: Twins) -> None:
        async def work(run: str) -> Answer:
            await twins.journal.outcome(twins.outcome(run))
            return await twins.journal.advance(twins.outcome(run), twins.intent(run, "s1"))

        await self.same(twins, work)

    @pytest.mark.parametrize("token", [FIRST, "rival"])
    @pytest.mark.parametrize("digest", ["d" * 64, "e" * 64])
    async def test_before_an_effect_that_was_begun(self, twins: Twins, token: str, digest: str) -> None:
        async def work(run: str) -> Answer:
            await twins.journal.intent(twins.intent(run, "s1"))
            return await twins.journal.advance(twins.outcome(run), twins.intent(run, "s1", token=token, digest=digest))

        await self.same(twins, work)

    async def test_of_a_newer_epoch(self, twins: Twins) -> None:
        def told(run: str) -> Awaitable[Answer]:
            outcome = twins.outcome(run).model_copy(update={"carrier": twins.carrier(run, epoch=2)})
            return twins.journal.advance(outcome, twins.intent(run, "s1", epoch=2))

        await self.same(twins, told)

    async def test_of_an_older_epoch(self, twins: Twins) -> None:
        async def work(run: str) -> Answer:
            await twins.journal.intent(twins.intent(run, "other", epoch=2))
            return await twins.journal.advance(twins.outcome(run), twins.intent(run, "s1"))

        await self.same(twins, work)

    async def test_that_used_tokens(self, twins: Twins) -> None:
        used = Usage(input_tokens=3, model="m")
        await self.same(twins, lambda run: twins.journal.advance(twins.outcome(run, usage=used), twins.intent(run, "s1")))

    async def test_under_a_limit_on_time(self, twins: Twins) -> None:
        money = MoneyBench(twins.db, twins.tenant)
        await money.limit("tenant", "", 60_000, unit="ms")
        await self.same(twins, lambda run: twins.journal.advance(twins.outcome(run), twins.intent(run, "s1", charge=Charge(ms=5000))))
        async with twins.db.tenant(twins.tenant) as tx:
            held = await tx.rows("SELECT run, amount FROM reservations ORDER BY run")
        assert [(row["run"], row["amount"]) for row in held] == [(FAST, 5000), (SLOW, 5000)]

    async def test_after_an_effect_that_holds_money(self, twins: Twins) -> None:
        async def work(run: str) -> Answer:
            await twins.journal.advance(twins.outcome(run), twins.intent(run, "s1", charge=Charge(usd_micros=5)))
            ended = twins.outcome(run).model_copy(
                update={"key": twins.intent(run, "s1").key, "lease_token": twins.intent(run, "s1").lease_token}
            )
            return await twins.journal.advance(ended, twins.intent(run, "s2"))

        await self.same(twins, work)
        async with twins.db.tenant(twins.tenant) as tx:
            assert await tx.rows("SELECT run FROM reservations") == []
