"""The stores of gateway and worker, on both versions of PostgreSQL."""

import asyncio

import pytest

from adapters.postgres.definitions import PostgresDefinitionStore
from adapters.postgres.idempotency import PostgresIdempotencyStore
from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.messages import PostgresMessageStore
from adapters.postgres.payloads import PostgresPayloadStore
from adapters.postgres.pool import Database
from adapters.postgres.runs import PostgresRunStore
from domain.errors import (
    BadRequest,
    Conflict,
    FactDiverged,
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    ReferenceMissing,
    RequestInFlight,
    VersionExists,
)
from domain.ledger import Kind
from domain.principals import Role
from domain.provider import Message
from domain.registry import DefinitionDraft
from domain.runs import Projection, RunStatus
from domain.stores import ConversationHead, RunFilter, StoredAnswer
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import AT, RUN, carrier, kinds
from tests.contracts.postgres_bench import PostgresBench, new_run


@pytest.fixture
def runs(db: Database) -> PostgresRunStore:
    """The store of runs."""
    return PostgresRunStore(db, XorCipher())


class TestRuns:
    async def test_accepts_once_whoever_asks_how_often(self, runs: PostgresRunStore, tenant: str) -> None:
        rows = await asyncio.gather(*(runs.accept(new_run(tenant)) for _ in range(8)))
        assert {(row.status, row.created_at, row.head_seq) for row in rows} == {(RunStatus.ACCEPTED, rows[0].created_at, 1)}

    async def test_gives_back_input_and_config(self, runs: PostgresRunStore, tenant: str) -> None:
        await runs.accept(new_run(tenant))
        assert await runs.input_of(tenant, RUN) == ({"claim": {"passenger": "Ada"}}, {"auto_limit": 100})
        assert await runs.result_of(tenant, RUN) is None

    async def test_names_a_missing_run(self, runs: PostgresRunStore, tenant: str) -> None:
        with pytest.raises(NotFound, match=RUN):
            await runs.get(tenant, RUN)

    async def test_pages_newest_first_and_filters(self, runs: PostgresRunStore, tenant: str) -> None:
        for number in range(5):
            await runs.accept(new_run(tenant, f"run_{number:026d}", definition="odd" if number % 2 else "even"))
        first = await runs.page(tenant, RunFilter(limit=3))
        second = await runs.page(tenant, RunFilter(limit=3, cursor=first.next_cursor))
        assert [row.run[-1] for row in (*first.items, *second.items)] == ["4", "3", "2", "1", "0"]
        assert second.next_cursor is None
        odd = await runs.page(tenant, RunFilter(definition="odd", status=(RunStatus.ACCEPTED,)))
        assert [row.run[-1] for row in odd.items] == ["3", "1"]
        assert (await runs.page(tenant, RunFilter(status=(RunStatus.FAILED,)))).items == ()

    async def test_refuses_a_cursor_that_is_none(self, runs: PostgresRunStore, tenant: str) -> None:
        with pytest.raises(BadRequest, match="next_cursor"):
            await runs.page(tenant, RunFilter(cursor="bogus"))

    async def test_lists_what_sweeper_and_reconciler_look_for(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        assert [row.run for row in await bench.runs.accepted_before(tenant, seconds=0, limit=5)] == [RUN]
        assert await bench.runs.accepted_before(tenant, seconds=60, limit=5) == []
        assert await bench.runs.open_runs(tenant, idle_seconds=0, limit=5) == []
        await bench.journal.flush(carrier(bench), projection=_projection(RunStatus.WAITING), fact_seq=0)
        assert await bench.runs.accepted_before(tenant, seconds=0, limit=5) == []
        assert [row.run for row in await bench.runs.open_runs(tenant, idle_seconds=0, limit=5)] == [RUN]
        await bench.runs.touch(tenant, RUN)
        assert await bench.runs.open_runs(tenant, idle_seconds=30, limit=5) == []
        assert tenant in await bench.runs.tenants()

    async def test_closes_from_outside_once(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        await bench.journal.flush(carrier(bench), projection=_projection(RunStatus.WAITING), fact_seq=0)
        assert not await bench.runs.close_externally(tenant, RUN, status=RunStatus.EXPIRED, reason="never started", at=AT, epoch=1)
        for expected in (True, False):
            assert await bench.runs.close_externally(tenant, RUN, status=RunStatus.TERMINATED, reason="by hand", at=AT, epoch=1) is expected
        row = await bench.row()
        assert (row.status, row.reason) == (RunStatus.TERMINATED, "by hand")
        assert row.closed_at is not None
        assert await kinds(bench) == [Kind.RUN_ACCEPTED, Kind.RUN_ENDED_EXTERNALLY]

    async def test_expires_a_run_that_never_started(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        assert await bench.runs.close_externally(tenant, RUN, status=RunStatus.EXPIRED, reason="never started", at=AT, epoch=None)
        assert (await kinds(bench))[-1] == Kind.RUN_START_EXPIRED

    async def test_appends_entries_of_the_gateway_without_a_gap(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        tell = bench.runs.append_entry
        await asyncio.gather(
            *(tell(tenant, RUN, kind=Kind.RUN_CANCEL_REQUESTED, principal="prn_b", at=AT, data={"n": n}) for n in range(20))
        )
        assert [entry.seq for entry in await bench.entries()] == list(range(1, 22))
        await kinds(bench)


def _projection(status: RunStatus) -> Projection:
    return Projection(status=status)


class TestPayloads:
    async def test_gives_back_what_was_put_in_this_tenant_only(self, db: Database, tenant: str) -> None:
        store = PostgresPayloadStore(db, XorCipher())
        ref = await store.put(tenant, RUN, {"a": [1, None, "ü"]})
        assert await store.get(tenant, ref) == {"a": [1, None, "ü"]}
        with pytest.raises(ReferenceMissing):
            await store.get("other", ref)

    async def test_says_that_an_erased_payload_is_missing(self, db: Database, tenant: str) -> None:
        cipher = XorCipher()
        store = PostgresPayloadStore(db, cipher)
        ref = await store.put(tenant, RUN, "secret")
        cipher.erased.add(tenant)
        with pytest.raises(ReferenceMissing):
            await store.get(tenant, ref)


EMPTY = ConversationHead(count=0, digest="")
HELLO = [Message(role="user", text="hello"), Message(role="assistant", text="hi")]


class TestMessages:
    async def test_appends_once_and_loads_up_to_a_head(self, db: Database, tenant: str) -> None:
        store = PostgresMessageStore(db, XorCipher())
        first = await store.append(tenant, RUN, "review/1", EMPTY, HELLO)
        assert await store.append(tenant, RUN, "review/1", EMPTY, HELLO) == first
        second = await store.append(tenant, RUN, "review/1", first, [Message(role="user", text="more")])
        assert (first.count, second.count) == (2, 3)
        assert [m.text for m in await store.load(tenant, RUN, "review/1", first)] == ["hello", "hi"]
        assert [m.text for m in await store.load(tenant, RUN, "review/1", second)] == ["hello", "hi", "more"]
        assert await store.load(tenant, RUN, "review/2", EMPTY) == []

    async def test_refuses_other_messages_in_the_same_place(self, db: Database, tenant: str) -> None:
        store = PostgresMessageStore(db, XorCipher())
        await store.append(tenant, RUN, "review/1", EMPTY, HELLO)
        with pytest.raises(FactDiverged):
            await store.append(tenant, RUN, "review/1", EMPTY, [Message(role="user", text="other")])

    async def test_says_when_a_head_is_not_there(self, db: Database, tenant: str) -> None:
        store = PostgresMessageStore(db, XorCipher())
        gone = ConversationHead(count=2, digest="0" * 64)
        with pytest.raises(ReferenceMissing):
            await store.load(tenant, RUN, "review/1", gone)
        with pytest.raises(ReferenceMissing):
            await store.append(tenant, RUN, "review/1", gone, HELLO)


def draft(version: str, *, sha256: str = "a" * 64, name: str = "delay-claim") -> DefinitionDraft:
    """Build a draft."""
    return DefinitionDraft(
        name=name,
        version=version,
        sha256=sha256,
        document={"z": 1, "a": {"text": "a\0b"}},
        input_schema={"type": "object"},
        config_schema={},
        config_defaults={"auto_limit": 100},
    )


class TestDefinitions:
    async def test_keeps_every_version_and_its_content(self, db: Database, tenant: str) -> None:
        store = PostgresDefinitionStore(db)
        first = await store.register(tenant, draft("1.0.0"), principal="prn_a")
        again = await store.register(tenant, draft("1.0.0"), principal="prn_b")
        assert first == again
        assert (first.registered_by, list(first.document)) == ("prn_a", ["z", "a"])
        with pytest.raises(VersionExists, match="raise its version"):
            await store.register(tenant, draft("1.0.0", sha256="b" * 64), principal="prn_a")

    async def test_finds_the_highest_version_in_a_range(self, db: Database, tenant: str) -> None:
        store = PostgresDefinitionStore(db)
        for version in ("1.9.0", "1.10.0", "2.0.0", "3.0.0-rc.1"):
            await store.register(tenant, draft(version), principal="prn_a")
        asked = (None, "^1", "~1.9", ">=1.0.0 <2.0.0")
        found = [(await store.get(tenant, "delay-claim", version_range)).version for version_range in asked]
        assert found == ["2.0.0", "1.10.0", "1.9.0", "1.10.0"]
        await store.register(tenant, draft("1.0.0", name="aaa"), principal="prn_a")
        listed = [(row.name, row.version) for row in await store.all(tenant)]
        assert listed[0] == ("aaa", "1.0.0")
        assert [version for _, version in listed[1:]] == ["3.0.0-rc.1", "2.0.0", "1.10.0", "1.9.0"]

    async def test_names_what_there_is_when_nothing_fits(self, db: Database, tenant: str) -> None:
        store = PostgresDefinitionStore(db)
        with pytest.raises(NotFound, match="none yet"):
            await store.get(tenant, "delay-claim", None)
        await store.register(tenant, draft("1.0.0"), principal="prn_a")
        with pytest.raises(NotFound, match=r"1\.0\.0"):
            await store.get(tenant, "delay-claim", "^2")
        with pytest.raises(NotFound, match="delay-claim"):
            await store.get(tenant, "delay-clam", None)
        with pytest.raises(InvalidInput, match=r"\^1"):
            await store.get(tenant, "delay-claim", "newest please")
        with pytest.raises(InvalidInput, match="three numbers"):
            await store.register(tenant, draft("one"), principal="prn_a")


class TestKeys:
    async def _create(self, store: PostgresKeyStore, tenant: str, *, secret: bytes = b"s" * 32) -> None:
        await store.create(
            tenant, key_id=f"k-{tenant}", secret_hmac=secret, principal="prn_a", name="Ada", role=Role.APPROVER, reviewer_roles=("claims",)
        )

    async def test_authenticates_before_a_tenant_is_known(self, db: Database, tenant: str) -> None:
        store = PostgresKeyStore(db)
        await self._create(store, tenant)
        principal = await store.authenticate(f"k-{tenant}", b"s" * 32)
        assert principal is not None
        assert (principal.id, principal.tenant, principal.role, principal.reviewer_roles) == ("prn_a", tenant, Role.APPROVER, ("claims",))
        assert await store.authenticate(f"k-{tenant}", b"t" * 32) is None
        assert await store.authenticate("k-nobody", b"s" * 32) is None

    async def test_is_made_once(self, db: Database, tenant: str) -> None:
        store = PostgresKeyStore(db)
        await self._create(store, tenant)
        await self._create(store, tenant)
        with pytest.raises(Conflict):
            await self._create(store, tenant, secret=b"t" * 32)

    async def test_revoked_is_dead_at_once(self, db: Database, tenant: str) -> None:
        store = PostgresKeyStore(db)
        await self._create(store, tenant)
        await store.revoke(tenant, f"k-{tenant}")
        assert await store.authenticate(f"k-{tenant}", b"s" * 32) is None
        with pytest.raises(NotFound):
            await store.revoke("other", f"k-{tenant}")

    async def test_roles_are_live(self, db: Database, tenant: str) -> None:
        store = PostgresKeyStore(db)
        await self._create(store, tenant)
        await store.set_reviewer_roles(tenant, "prn_a", ())
        assert (await store.principal(tenant, "prn_a")).reviewer_roles == ()
        with pytest.raises(NotFound):
            await store.principal("other", "prn_a")
        with pytest.raises(NotFound):
            await store.set_reviewer_roles(tenant, "prn_x", ())


ROUTE = "POST /v1/runs"
ANSWER = StoredAnswer(status=202, body=b'{"id": "run_1"}', headers={"Location": "/v1/runs/run_1"})


class TestIdempotency:
    async def test_lets_one_of_many_begin(self, db: Database, tenant: str) -> None:
        store = PostgresIdempotencyStore(db, XorCipher())
        asked = (store.begin(tenant, route=ROUTE, key="k", fingerprint="f", lease_s=30) for _ in range(8))
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert results.count(None) == 1
        assert sum(isinstance(result, RequestInFlight) for result in results) == 7

    async def test_replays_the_answer_byte_for_byte_and_only_once_finished(self, db: Database, tenant: str) -> None:
        store = PostgresIdempotencyStore(db, XorCipher())
        await store.begin(tenant, route=ROUTE, key="k", fingerprint="f", lease_s=30)
        await store.finish(tenant, route=ROUTE, key="k", answer=ANSWER)
        await store.finish(tenant, route=ROUTE, key="k", answer=StoredAnswer(status=500, body=b""))
        assert await store.begin(tenant, route=ROUTE, key="k", fingerprint="f", lease_s=30) == ANSWER
        assert await store.begin("other", route=ROUTE, key="k", fingerprint="f", lease_s=30) is None
        with pytest.raises(IdempotencyKeyReused):
            await store.begin(tenant, route=ROUTE, key="k", fingerprint="g", lease_s=30)

    async def test_resumes_after_a_crash_when_the_lease_is_over(self, db: Database, tenant: str) -> None:
        store = PostgresIdempotencyStore(db, XorCipher())
        await store.begin(tenant, route=ROUTE, key="k", fingerprint="f", lease_s=0)
        asked = (store.begin(tenant, route=ROUTE, key="k", fingerprint="f", lease_s=30) for _ in range(8))
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert results.count(None) == 1

    async def test_released_carries_another_body(self, db: Database, tenant: str) -> None:
        store = PostgresIdempotencyStore(db, XorCipher())
        await store.begin(tenant, route=ROUTE, key="k", fingerprint="f", lease_s=30)
        await store.release(tenant, route=ROUTE, key="k")
        assert await store.begin(tenant, route=ROUTE, key="k", fingerprint="g", lease_s=30) is None
