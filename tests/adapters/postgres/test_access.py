"""Who may see and change what: row-level security, ownership, and the append-only ledger (DESIGN §10, JOURNAL §5)."""

import asyncio
from contextlib import suppress
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.definitions import PostgresDefinitionStore
from adapters.postgres.idempotency import PostgresIdempotencyStore
from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.messages import PostgresMessageStore
from adapters.postgres.policies import PostgresPolicyStore
from adapters.postgres.pool import Database
from adapters.postgres.tables import Table
from domain.budget import Cap
from domain.people_stores import DecisionRow
from domain.policy_sets import PolicySetDraft
from domain.principals import Role
from domain.provider import Message
from domain.runs import Projection
from domain.stores import ConversationHead
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.tool_rows import fill_tools
from tests.contracts.journal_bench import RUN, carrier, fact, intent, outcome
from tests.contracts.money_bench import MoneyBench
from tests.contracts.postgres_bench import PostgresBench
from tests.contracts.sealing_bench import SealingBench
from tests.contracts.test_inbox_stores import approval, task
from tests.contracts.test_stores import draft

GLOBAL_TABLES = {"alembic_version", "platform_budgets"}
"""The pinned list of tables without a tenant (DESIGN §15)."""

TABLES = sorted({*Table.metadata.tables} - GLOBAL_TABLES)

DEFINER_FUNCTIONS = {"tenant_ids", "find_api_key", "find_hook", "forget_deltas"}
"""The pinned list of functions that see all tenants (ADR 0004)."""


async def fill_log(db: Database, tenant: str) -> None:
    """Seal the tenant's entries and deliver the head."""
    sealing = SealingBench(db, tenant)
    head = await sealing.seal_all()
    await sealing.anchorage.delivered(tenant, "file", head.tree_size)


async def fill_streams(db: Database, tenant: str) -> None:
    """Stream a delta."""
    async with db.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO stream_deltas (tenant_id, run, step, visit, call, epoch, attempt, last, slot, sealed)"
            " VALUES (%s, %s, 's', 1, '0', 1, 1, 1, 0, '')",
            [tenant, RUN],
        )


async def fill_policies(db: Database, tenant: str) -> None:
    """Register a policy set and let it decide."""
    store, draft = PostgresPolicyStore(db), PolicySetDraft(version="1.0.0", cedar="")
    await store.add(tenant, draft, sha256="a" * 64, by="prn_1")
    await store.choose(tenant, "1.0.0", by="prn_1")


async def fill_hooks(db: Database, tenant: str) -> None:
    """Register a hook that was sent a request, and let a step listen."""
    async with db.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO hooks (tenant_id, hook, name, scheme, rules, enabled, created_by, created_at, updated_at)"
            " VALUES (%s, 'hok_1', 'bank', 'github', '{}', true, 'prn_a', now(), now())",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO hook_secrets (tenant_id, hook, secret_id, sealed, created_at) VALUES (%s, 'hok_1', 's', '', now())", [tenant]
        )
        await tx.execute(
            "INSERT INTO hook_requests (tenant_id, hook, webhook_id, content, first, state, correlation_id)"
            " VALUES (%s, 'hok_1', 'w', 'w', 'ignored', 'ignored', 'c')",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO listeners (tenant_id, run, step, visit, signal, hash, opened, epoch, fact_seq)"
            " VALUES (%s, %s, 'wait', 1, 'paid', 'h', true, 1, 1)",
            [tenant, RUN],
        )


async def fill_people(db: Database, tenant: str) -> None:
    """Let somebody stand in for somebody by a calendar."""
    async with db.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO calendars (tenant_id, name, version, calendar, created_by) VALUES (%s, 'c', 1, '{}', 'prn_a')", [tenant]
        )
        await tx.execute("INSERT INTO model_aliases (tenant_id, alias, meaning, set_by) VALUES (%s, 'fast', '{}', 'prn_a')", [tenant])
        await tx.execute(
            "INSERT INTO principals (tenant_id, principal, name, role, reviewer_roles) VALUES (%s, 'prn_b', 'Bo', 'approver', '{}')",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO substitutes (tenant_id, substitution, reviewer, substitute, roles, since, until, set_by)"
            " VALUES (%s, 's', 'prn_a', 'prn_b', '{}', now(), now() + interval '1 day', 'prn_a')",
            [tenant],
        )


async def fill_dead_letters(db: Database, tenant: str) -> None:
    """Give something up, and order a redrive."""
    async with db.tenant(tenant) as tx:
        await tx.execute(
            "SELECT dead_letter_add(%s, 'hook', 'hok_1', '1', NULL, NULL, NULL, '{\"code\": \"internal\"}', '', 1, now(), now(), NULL)",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO dead_letter_redrives (tenant_id, redrive, rate, requested_by) VALUES (%s, 'rdv_1', 1, 'prn_a')", [tenant]
        )


async def fill_deliveries(db: Database, tenant: str) -> None:
    """Subscribe, relay a run, try a delivery, and say by which channel reviewers are reached."""
    rows: dict[LiteralString, tuple[object, ...]] = {
        "subscriptions (tenant_id, subscription, url_sealed, description, events, ordered, created_by)": (
            "whk_1",
            b"",
            "",
            [],
            False,
            "prn_a",
        ),
        "subscription_secrets (tenant_id, subscription, generation, sealed)": ("whk_1", 1, b""),
        "delivery_endpoints (tenant_id, channel, endpoint)": ("webhook", "whk_1"),
        "deliveries (tenant_id, delivery, channel, endpoint, event, type, seq, document, ordered)": (
            *("dlv_1", "webhook", "whk_1", "evt_1", "run.failed"),
            *(1, "{}", False),
        ),
        "delivery_attempts (tenant_id, delivery, round, attempt, tries)": ("dlv_1", 1, 1, 1),
        "relays (tenant_id)": (),
        "relay_cursors (tenant_id, run, seq)": (RUN, 1),
        "channels (tenant_id, channel, name, kind, principal, events, enabled, created_by)": (
            *("chn_1", "mail", "email", "prn_a", []),
            *(True, "prn_a"),
        ),
        "reviewer_contacts (tenant_id, principal, kind, address_sealed, set_by)": ("prn_a", "email", b"", "prn_a"),
        "review_link_keys (tenant_id, generation, oldest)": (1, 1),
        "mcp_servers (tenant_id, server, draft_sealed, revision, created_by)": ("files", b"", 1, "prn_a"),
        "mcp_tools (tenant_id, server, tool, wire_name, state)": ("files", "read", "mcp.files.read", "found"),
        "mcp_tokens (tenant_id, server, sealed)": ("files", b""),
        "mcp_authorizations (tenant_id, state_digest, principal, sealed, expires_at)": ("s", "prn_a", b"", "2099-01-01"),
        "workspace_files (tenant_id, run, path_digest, ref, size, meta_sealed)": (RUN, "d", "r", 1, b""),
        "memory_records (tenant_id, record, namespace, run, embedder, embedding, labels, sealed)": (
            *("mem_1", "default", RUN, "x", [1.0]),
            *([], b""),
        ),
        "child_runs (tenant_id, run, parent, depth)": (RUN, "run_0", 1),
        "secret_references (tenant_id, environment, name, reference, set_by)": ("test", "BANK", "env:BANK", "prn_a"),
    }
    async with db.tenant(tenant) as tx:
        for table, values in rows.items():
            await tx.execute(f"INSERT INTO {table} VALUES (%s{', %s' * len(values)})", [tenant, *values])  # noqa: S608 - names of ours


async def fill_lives(db: Database, tenant: str) -> None:
    """Continue a run, hold and erase some, and register a prompt and an agent."""
    async with db.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO continuations (tenant_id, run, epoch, kind, after_temporal_run_id, start_ref, lease_until)"
            " VALUES (%s, %s, 2, 'redrive', '', 'r', clock_timestamp())",
            [tenant, RUN],
        )
        await tx.execute("INSERT INTO retention_rules (tenant_id, definition, keep_days, set_by) VALUES (%s, '', 30, 'prn_a')", [tenant])
        await tx.execute(
            "INSERT INTO legal_holds (tenant_id, hold, scope, name, reason_sealed, placed_by) VALUES (%s, 'h', 'tenant', '', '', 'prn_a')",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO erasures"
            " (tenant_id, erasure, mode, requested_by, runs, subject_keys, payloads, messages, approvals, tasks, answers)"
            " VALUES (%s, 'e', 'purge', 'prn_a', 0, 0, 0, 0, 0, 0, 0)",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO prompts (tenant_id, name, version, sha256, body, registered_by) VALUES (%s, 'p', '1.0.0', 'x', 'b', 'prn_a')",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO agents (tenant_id, name, version, sha256, manifest, owner, status, registered_by)"
            " VALUES (%s, 'a', '1.0.0', repeat('0', 64), '{}', 'prn_a', 'draft', 'prn_a')",
            [tenant],
        )
        await tx.execute(
            "INSERT INTO agent_moves (tenant_id, name, version, place, after, principal) VALUES (%s, 'a', '1.0.0', 1, 'draft', 'prn_a')",
            [tenant],
        )


async def fill(bench: PostgresBench, db: Database) -> None:
    """Put a row of the tenant into every table."""
    tenant = bench.tenant
    await bench.journal.intent(intent(bench, fact(1)))
    await bench.journal.outcome(outcome(bench, output=1))
    both = Projection(open_approval=approval(f"apr_{tenant}"), open_task=task(f"tsk_{tenant}"))
    await bench.journal.flush(carrier(bench, fact(1)), both, fact_seq=1)
    await bench.approvals.store_decision(
        DecisionRow(
            tenant=tenant,
            run=RUN,
            decision_id=f"dec_{tenant}",
            approval=f"apr_{tenant}",
            verdict="approve",
            digest="d",
            principal="prn_b",
            attestation="",
        )
    )
    await PostgresDefinitionStore(db).register(tenant, draft("1.0.0"), principal="prn_a")
    await PostgresKeyStore(db).create(
        tenant, key_id=f"k-{tenant}", secret_hmac=b"s", principal="prn_a", name="Ada", role=Role.ADMIN, reviewer_roles=()
    )
    await PostgresIdempotencyStore(db, bench.cipher).begin(tenant, route="r", key="k", fingerprint="f", lease_s=1)
    head = ConversationHead(count=0, digest="")
    await PostgresMessageStore(db, bench.cipher).append(tenant, RUN, "c", head, [Message(role="user", text="hello")])
    money = MoneyBench(db, tenant)
    for step in ("a", "b"):
        await money.begin(step, 10, caps=[Cap(usd_micros=20)])
    await money.end("a", 10)
    rest = (fill_lives, fill_people, fill_dead_letters, fill_hooks, fill_streams, fill_policies, fill_tools, fill_deliveries, fill_log)
    for each in rest:
        await each(db, tenant)


def counts(connection: psycopg.Connection) -> dict[str, int]:
    """Count the visible rows of every table."""
    found: dict[str, int] = {}
    for table in TABLES:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        found[table] = 0 if row is None else row[0]
    return found


async def fail_inside(db: Database, tenant: str) -> None:
    """Leave a tenant's transaction by an error."""
    with suppress(ZeroDivisionError):
        async with db.tenant(tenant) as tx:
            assert len(await tx.rows("SELECT run FROM runs")) == 1
            raise ZeroDivisionError


class TestRowLevelSecurity:
    async def test_shows_a_tenant_its_rows_in_every_table(self, db: Database, server: MigratedServer, tenant: str) -> None:
        await fill(await PostgresBench(db, tenant).accept(), db)
        with psycopg.connect(server.app_url) as connection:
            connection.execute("SELECT set_config('standfast.tenant', %s, true)", [tenant])
            assert min(counts(connection).values()) > 0

    @pytest.mark.parametrize("setting", [None, "", "t-other"])
    async def test_shows_no_row_of_any_table_otherwise(
        self, db: Database, server: MigratedServer, tenant: str, setting: str | None
    ) -> None:
        await fill(await PostgresBench(db, tenant).accept(), db)
        with psycopg.connect(server.app_url) as connection:
            if setting is not None:
                connection.execute("SELECT set_config('standfast.tenant', %s, true)", [setting])
            assert set(counts(connection).values()) == {0}

    async def test_holds_for_the_owner_too(self, db: Database, server: MigratedServer, tenant: str) -> None:
        await fill(await PostgresBench(db, tenant).accept(), db)
        with psycopg.connect(server.owner_url) as connection:
            connection.execute("SET ROLE standfast_owner")
            assert set(counts(connection).values()) == {0}

    async def test_forgets_the_tenant_with_the_transaction(self, server: MigratedServer, tenant: str) -> None:
        async with Database(server.app_url, max_size=1) as db:
            await PostgresBench(db, tenant).accept()
            async with db.platform() as tx:
                assert await tx.rows("SELECT run FROM runs") == []
            await fail_inside(db, tenant)
            async with db.platform() as tx:
                assert await tx.rows("SELECT run FROM runs") == []

    async def test_never_mixes_tenants_that_share_connections(self, server: MigratedServer, tenant: str) -> None:
        async with Database(server.app_url, max_size=3) as db:
            tenants = [f"{tenant}-{number}" for number in range(4)]
            for one in tenants:
                await PostgresBench(db, one).accept()

            async def switch(one: str) -> set[str]:
                await fail_inside(db, one)
                async with db.tenant(one) as tx:
                    return {row["tenant_id"] for row in await tx.rows("SELECT tenant_id FROM runs")}

            asked = tenants * 100
            assert await asyncio.gather(*map(switch, asked)) == [{one} for one in asked]

    async def test_refuses_a_row_for_another_tenant(self, db: Database, tenant: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.tenant(tenant) as tx:
                await tx.rows("INSERT INTO tenants (tenant_id) VALUES ('t-other') RETURNING 1")

    def test_is_forced_on_every_table_but_the_pinned_ones(self, server: MigratedServer) -> None:
        with psycopg.connect(server.owner_url) as connection:
            rows = connection.execute(
                "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
                " WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
            ).fetchall()
        assert {name for name, forced in rows if not forced} == GLOBAL_TABLES
        assert {name for name, forced in rows if forced} == set(TABLES)


class TestRoles:
    def test_app_owns_nothing_and_bypasses_nothing(self, server: MigratedServer) -> None:
        with psycopg.connect(server.owner_url) as connection:
            role = connection.execute(
                "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'standfast_app'"
            ).fetchone()
            owned = connection.execute(
                "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'standfast_app'::regrole AND deptype = 'o'"
            ).fetchone()
            member = connection.execute("SELECT count(*) FROM pg_auth_members WHERE member = 'standfast_app'::regrole").fetchone()
        assert (role, owned, member) == ((False, False, False, False), (0,), (0,))

    def test_owner_owns_every_table(self, server: MigratedServer) -> None:
        with psycopg.connect(server.owner_url) as connection:
            rows = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert rows == [("standfast_owner",)]

    def test_only_the_pinned_functions_see_all_tenants(self, server: MigratedServer) -> None:
        with psycopg.connect(server.owner_url) as connection:
            rows = connection.execute(
                "SELECT proname, proowner::regrole::text, proconfig FROM pg_proc"
                " WHERE pronamespace = 'public'::regnamespace AND (prosecdef OR proowner = 'standfast_definer'::regrole)"
            ).fetchall()
            login = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'standfast_definer'").fetchone()
        assert {row[0] for row in rows} == DEFINER_FUNCTIONS
        assert {row[1] for row in rows} == {"standfast_definer"}
        assert {tuple(row[2]) for row in rows} == {("search_path=pg_catalog, pg_temp",)}
        assert login == (False,)

    def test_every_index_starts_with_the_tenant(self, server: MigratedServer) -> None:
        with psycopg.connect(server.owner_url) as connection:
            rows = connection.execute(
                "SELECT i.indexrelid::regclass::text, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
                " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
                " WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> ALL (%s)",
                [sorted(GLOBAL_TABLES)],
            ).fetchall()
        assert len(rows) > len(TABLES)
        assert {name for name, column in rows if column != "tenant_id"} == set()


CHANGES = ("UPDATE ledger_entries SET kind = 'x'", "DELETE FROM ledger_entries", "TRUNCATE ledger_entries")


class TestLedgerTable:
    @pytest.mark.parametrize("change", CHANGES)
    async def test_refuses_change_by_the_app_role(self, db: Database, tenant: str, change: str) -> None:
        await PostgresBench(db, tenant).accept()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            async with db.tenant(tenant) as tx:
                await tx.rows(change.encode())

    @pytest.mark.parametrize("role", ["standfast_owner", "postgres"])
    @pytest.mark.parametrize("change", CHANGES)
    def test_refuses_change_by_its_owner_and_by_superusers(self, server: MigratedServer, change: str, role: str) -> None:
        with psycopg.connect(server.owner_url) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                connection.execute(change.encode())
