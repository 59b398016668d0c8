"""The registry of tools, its gate, the audit and the watch: one suite for fakes and PostgreSQL where a fake is, PostgreSQL's own below."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from pydantic import JsonValue

from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.pool import Database, Transaction
from adapters.postgres.tool_audit import PostgresCallAudit
from adapters.postgres.tool_gate import PostgresToolGate
from adapters.postgres.tool_store import PostgresToolStore
from adapters.postgres.tool_watch import PostgresToolWatch
from domain.effects import EffectState
from domain.errors import BadRequest, NotFound, ToolDenied, ToolQuarantined, Unavailable, VersionExists
from domain.principals import Role
from domain.runs import Projection
from domain.tool_access import ToolGate, ToolGrant, ToolUse
from domain.tool_anomalies import Anomaly, AnomalyKind, Baseline
from domain.tool_audit import CallQuery, CallVerdict, form_of
from domain.tool_registry import ToolChange, ToolState, ToolStore, draft_of
from tests.contracts.journal_bench import FIRST, RUN, carrier, fact, intent, outcome
from tests.contracts.postgres_bench import PostgresBench
from tests.fakes_tools import FakeToolGate, FakeToolStore

OTHER = "other-house"
DECLARED: dict[str, JsonValue] = {
    "name": "weather.now",
    "description": "The weather",
    "method": "GET",
    "url": "https://weather.example/now",
    "input": {"type": "object"},
    "effect_class": "read",
}


class Bench(NamedTuple):
    """A registry, and a gate over it that remembers nothing."""

    store: ToolStore
    gate: ToolGate
    tenant: str

    async def admit(self, *, agent: str | None = "claims/review", tool: str = "bank.pay", principal: str = "prn_a") -> tuple[str, ...]:
        """Ask for one call."""
        return await self.gate.admit(ToolUse(tenant=self.tenant, tool=tool, version="1.0.0", agent=agent, principal=principal))

    async def grant(self, name: str, *tools: str, agents: tuple[str, ...] = ("*",), roles: tuple[str, ...] = ("*",)) -> None:
        """Make a grant."""
        await self.store.grant(self.tenant, ToolGrant(grant=name, tools=tools, agents=agents, roles=roles, granted_by="prn_b"))

    async def say(self, state: ToolState, *, tool: str = "bank.pay") -> bool:
        """Change the state of a version."""
        return await self.store.change(self.tenant, tool, "1.0.0", ToolChange(state=state, reason=f"it is {state}", by="prn_b", at=""))


async def principal(db: Database, tenant: str) -> None:
    """Make the principal prn_a, an operator with the reviewer role finance."""
    keys = PostgresKeyStore(db)
    await keys.create(
        tenant, key_id=f"{tenant}-a", secret_hmac=b"s", principal="prn_a", name="a", role=Role.OPERATOR, reviewer_roles=("finance",)
    )


@pytest.fixture(params=["postgres", "fake"])
async def house(request: pytest.FixtureRequest, db: Database, tenant: str) -> Bench:
    """Each implementation."""
    if request.param == "fake":
        store = FakeToolStore()
        return Bench(store, FakeToolGate(store, {"prn_a": ("operator", "finance")}), tenant)
    await principal(db, tenant)
    return Bench(PostgresToolStore(db), PostgresToolGate(db, max_age_s=0), tenant)


class TestRegistry:
    async def test_keeps_declarations_as_they_were_written(self, house: Bench) -> None:
        draft = draft_of(DECLARED)
        await house.store.register(house.tenant, [draft], principal="prn_a")
        await house.store.register(house.tenant, [draft], principal="prn_b")
        [row] = await house.store.rows(house.tenant)
        assert (row.declaration, row.sha256, row.state, row.registered_by) == (DECLARED, draft.sha256, ToolState.ACTIVE, "prn_a")
        assert await house.store.rows(OTHER) == []

    async def test_of_several_none_is_stored_when_one_stands_with_other_content(self, house: Bench) -> None:
        await house.store.register(house.tenant, [draft_of(DECLARED)], principal="prn_a")
        changed, new = draft_of({**DECLARED, "description": "Other"}), draft_of({**DECLARED, "name": "a.new"})
        with pytest.raises(VersionExists):
            await house.store.register(house.tenant, [new, changed], principal="prn_a")
        assert [row.name for row in await house.store.rows(house.tenant)] == ["weather.now"]

    async def test_tells_what_was_said_of_a_version_latest_first(self, house: Bench) -> None:
        assert not await house.say(ToolState.ACTIVE), "it is active already"
        assert await house.say(ToolState.QUARANTINED)
        assert not await house.say(ToolState.QUARANTINED)
        assert await house.say(ToolState.RETIRED)
        said = await house.store.changes(house.tenant, "bank.pay", "1.0.0")
        assert [(one.state, one.by) for one in said] == [(ToolState.RETIRED, "prn_b"), (ToolState.QUARANTINED, "prn_b")]

    async def test_a_tool_that_was_held_back_before_it_was_registered_stays_so(self, house: Bench) -> None:
        await house.say(ToolState.QUARANTINED, tool="weather.now")
        await house.store.register(house.tenant, [draft_of(DECLARED)], principal="prn_a")
        [row] = await house.store.rows(house.tenant)
        assert (row.state, row.declaration) == (ToolState.QUARANTINED, DECLARED)


class TestGrants:
    async def test_are_stored_once_and_taken_back_once(self, house: Bench) -> None:
        await house.grant("tgr_1", "bank.*")
        await house.grant("tgr_1", "mail.*")
        gone = await house.store.revoke(house.tenant, "tgr_1", principal="prn_b")
        again = await house.store.revoke(house.tenant, "tgr_1", principal="prn_c")
        assert (gone.tools, gone.revoked_by, again) == (("bank.*",), "prn_b", gone)

    async def test_are_nobody_elses(self, house: Bench) -> None:
        await house.grant("tgr_1", "bank.*")
        assert await house.store.grants(OTHER) == []
        with pytest.raises(NotFound):
            await house.store.revoke(OTHER, "tgr_1", principal="prn_b")


class TestGate:
    async def test_lets_everything_through_that_no_grant_names_and_tells_the_roles(self, house: Bench) -> None:
        await house.grant("tgr_1", "mail.*", agents=())
        assert await house.admit() == ("operator", "finance")

    async def test_lets_through_what_agent_and_role_are_granted_for(self, house: Bench) -> None:
        await house.grant("tgr_1", "bank.*", agents=("claims/*",), roles=("finance",))
        await house.admit()
        with pytest.raises(ToolDenied, match="no grant lets the agent other/review"):
            await house.admit(agent="other/review")
        with pytest.raises(ToolDenied, match="a step of the definition"):
            await house.admit(agent=None)
        with pytest.raises(ToolDenied, match="finance"):
            await house.admit(principal="prn_nobody")

    async def test_closes_for_good_what_a_grant_taken_back_named(self, house: Bench) -> None:
        await house.grant("tgr_1", "bank.pay")
        await house.admit()
        await house.store.revoke(house.tenant, "tgr_1", principal="prn_b")
        with pytest.raises(ToolDenied):
            await house.admit()

    async def test_know_a_registered_agent_by_its_own_name_too(self, house: Bench) -> None:
        await house.grant("tgr_1", "bank.pay", agents=("claim-reviewer", "steps"))
        use = ToolUse(
            tenant=house.tenant, tool="bank.pay", version="1.0.0", agent="claims/review", registered="claim-reviewer", principal="prn_a"
        )
        await house.gate.admit(use)
        for another in (None, "claim-writer", "steps"):
            with pytest.raises(ToolDenied):
                await house.gate.admit(use.model_copy(update={"registered": another}))

    async def test_lets_nobody_call_a_tool_in_quarantine_until_it_is_released(self, house: Bench) -> None:
        await house.grant("tgr_1", "bank.pay")
        await house.say(ToolState.QUARANTINED)
        for asker in ("claims/review", None):
            with pytest.raises(ToolQuarantined, match="it is quarantined"):
                await house.admit(agent=asker)
        await house.say(ToolState.ACTIVE)
        await house.admit()

    async def test_lets_runs_go_on_that_have_a_retired_tool(self, house: Bench) -> None:
        await house.say(ToolState.RETIRED)
        await house.admit()


class Silent(Database):
    """A database that does not answer."""

    @asynccontextmanager
    async def tenant(self, tenant: str) -> AsyncGenerator[Transaction]:
        """Do not answer."""
        if tenant:
            raise Unavailable("PostgreSQL does not answer")
        yield Transaction.__new__(Transaction)


class TestGateOnPostgres:
    async def test_knows_no_more_than_a_second_old(self, db: Database, tenant: str) -> None:
        now = [0.0]
        gate, store = PostgresToolGate(db, clock=lambda: now[0]), PostgresToolStore(db)
        house = Bench(store, gate, tenant)
        await house.admit()
        await house.say(ToolState.QUARANTINED)
        await house.admit()
        now[0] = 1.01
        with pytest.raises(ToolQuarantined):
            await house.admit()

    async def test_lets_nothing_through_while_it_cannot_know(self, tenant: str) -> None:
        with pytest.raises(Unavailable):
            await PostgresToolGate(Silent("")).admit(ToolUse(tenant=tenant, tool="a", version="1.0.0", principal="prn_a"))


async def called(bench: PostgresBench, token: str = FIRST, *, data: dict[str, JsonValue] | None = None, **given: object) -> None:
    """Journal one call from intent to outcome."""
    told: dict[str, JsonValue] = {"subject": "bank.pay@1.0.0", "code": None, "agent": "claims/review", **(data or {})}
    asked = intent(bench, token=token)
    await bench.journal.intent(asked.model_copy(update={"request": {"amount": 9}}))
    ended = outcome(bench, token=token, output={"ok": True}, cost=120)
    await bench.journal.outcome(ended.model_copy(update={"data": told, **given}))


class TestAudit:
    async def test_has_a_call_with_the_digests_of_its_entries(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        form = form_of({"amount": 9, "back": "https://evil.example/x"})
        await called(bench, data={"form": form.model_dump(mode="json")})
        [call] = (await PostgresCallAudit(db).page(tenant, CallQuery(), limit=10, cursor=None)).items
        asked, answered = (await bench.entries())[-2:]
        assert (call.tool, call.version, call.agent, call.principal) == ("bank.pay", "1.0.0", "claims/review", "prn_a")
        assert (call.verdict, call.seq, call.cost_usd_micros, call.form) == (CallVerdict.ALLOWED, answered.seq, 120, form)
        assert (call.arguments_digest, call.result_digest) == (asked.payload_digest, answered.payload_digest)
        assert call.form.hosts == ("evil.example",)

    @pytest.mark.parametrize(
        ("code", "verdict"), [("tool-denied", "denied"), ("tool-quarantined", "quarantined"), ("tool-failed", "failed")]
    )
    async def test_tells_calls_that_were_stopped_from_those_that_failed(self, db: Database, tenant: str, code: str, verdict: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        error: dict[str, JsonValue] = {"code": code, "detail": "no", "retryable": "false"}
        await called(bench, data={"code": code}, state=EffectState.FAILED, kind="agent:tool:failed", error=error, output=None)
        audit = PostgresCallAudit(db)
        [call] = (await audit.page(tenant, CallQuery(verdict=CallVerdict(verdict)), limit=10, cursor=None)).items
        assert call.code == code
        assert (await audit.page(tenant, CallQuery(verdict=CallVerdict.ALLOWED), limit=10, cursor=None)).items == ()

    async def test_names_the_agent_of_what_a_model_was_refused(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        told = fact(1, kind="agent:tool:refused", step="judge", tool="bank.rob", verdict="deny", registered="claim-reviewer")
        odd = fact(2, kind="agent:tool:refused", step="judge", tool="a\0b")
        await bench.journal.flush(carrier(bench, told, odd), Projection(), fact_seq=2)
        audit = PostgresCallAudit(db)
        named = (await audit.page(tenant, CallQuery(agent="claim-reviewer"), limit=10, cursor=None)).items
        assert [one.tool for one in named] == ["bank.rob"], "the registered agent is found by its own name too"
        assert (await audit.page(tenant, CallQuery(agent="another"), limit=10, cursor=None)).items == ()
        calls = (await audit.page(tenant, CallQuery(), limit=10, cursor=None)).items
        assert [(one.tool, one.agent, one.verdict, one.arguments_digest) for one in reversed(calls)] == [
            ("bank.rob", "delay-claim/judge", CallVerdict.DENIED, None),
            ("?", "delay-claim/judge", CallVerdict.REFUSED, None),
        ]

    async def test_is_filtered_paged_and_of_one_tenant(self, db: Database, tenant: str) -> None:
        await called(await PostgresBench(db, tenant).accept(), data={"registered": "claim-reviewer"})
        audit = PostgresCallAudit(db)
        agents = (CallQuery(agent="claims/review"), CallQuery(agent="claim-reviewer"))
        for fitting in (CallQuery(tool="bank.pay"), CallQuery(run=RUN), *agents, CallQuery(principal="prn_a")):
            assert len((await audit.page(tenant, fitting, limit=1, cursor=None)).items) == 1
        for other in (CallQuery(until="2020-01-01T00:00:00Z"), CallQuery(agent="claims")):
            assert (await audit.page(tenant, other, limit=1, cursor=None)).items == ()
        assert (await audit.page(OTHER, CallQuery(), limit=1, cursor=None)).items == ()
        with pytest.raises(BadRequest):
            await audit.page(tenant, CallQuery(), limit=1, cursor="x")


class TestWatchOnPostgres:
    async def test_reads_every_call_once_and_none_behind_an_open_transaction(self, db: Database, tenant: str) -> None:
        watch, bench = PostgresToolWatch(db), await PostgresBench(db, tenant).accept()
        epoch = await watch.claim(tenant, holder="a", lease_s=60)
        assert epoch is not None
        assert not await watch.waiting(tenant)
        async with db.tenant(tenant) as older:  # it has an id, and could still write a call before the one that follows
            await older.execute(b"SELECT pg_current_xact_id()")
            await called(bench)
            assert await watch.waiting(tenant)
            assert (await watch.unwatched(tenant, limit=10)).calls == ()
        async with asyncio.timeout(30):  # transactions of other tests hold the horizon back too
            while not (unwatched := await watch.unwatched(tenant, limit=10)).calls:
                await asyncio.sleep(0.05)
        assert await watch.watched(tenant, epoch=epoch, txid=unwatched.txid, baselines={}, found=[])
        assert not await watch.waiting(tenant)

    async def test_stores_what_it_found_and_holds_the_tool_back_at_once(self, db: Database, tenant: str) -> None:
        watch, store = PostgresToolWatch(db), PostgresToolStore(db)
        epoch = await watch.claim(tenant, holder="a", lease_s=60)
        odd = Anomaly(
            kind=AnomalyKind.COST,
            run=RUN,
            seq=4,
            tool="bank.pay",
            version="1.0.0",
            detail="dear",
            at="2026-01-02T03:04:05Z",
            quarantined=True,
        )
        usual = {("bank.pay", "1.0.0"): Baseline(calls=7)}
        assert await watch.watched(tenant, epoch=epoch or 0, txid=1, baselines=usual, found=[odd])
        assert await watch.baselines(tenant, [("bank.pay", "1.0.0"), ("a.b", "1.0.0")]) == usual
        [change] = await store.changes(tenant, "bank.pay", "1.0.0")
        assert (change.state, change.by, "dear" in change.reason) == (ToolState.QUARANTINED, "platform:watch", True)
        [found] = (await PostgresCallAudit(db).anomalies(tenant, tool="bank.pay", limit=5, cursor=None)).items
        assert (found.kind, found.quarantined) == (AnomalyKind.COST, True)
        await store.change(tenant, "bank.pay", "1.0.0", ToolChange(state=ToolState.ACTIVE, reason="it was me", by="prn_a", at=""))
        assert await watch.baselines(tenant, [("bank.pay", "1.0.0")]) == {("bank.pay", "1.0.0"): Baseline()}, "it learns anew"

    async def test_is_for_one_holder_and_stores_nothing_for_another(self, db: Database, tenant: str) -> None:
        watch = PostgresToolWatch(db)
        first = await watch.claim(tenant, holder="a", lease_s=0)
        assert await watch.claim(tenant, holder="b", lease_s=60) is not None
        assert await watch.claim(tenant, holder="a", lease_s=60) is None
        assert not await watch.watched(tenant, epoch=first or 0, txid=9, baselines={}, found=[])
