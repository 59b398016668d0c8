"""Inbound webhooks and listeners: one suite for their fakes and both versions of PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from adapters.postgres.dead_letters import PostgresDeadLetterStore
from adapters.postgres.hook_requests import PostgresHookRequestStore
from adapters.postgres.hooks import PostgresHookStore
from adapters.postgres.listeners import PostgresListenerStore
from adapters.postgres.pool import Database
from adapters.postgres.vault import Vault
from domain.dead_letters import DeadLetterFilter, DeadLetterKind, DeadLetterStore, NewDeadLetter
from domain.errors import Conflict, NotFound
from domain.hook_stores import HeldRequest, HookRequestStore, HookStore, NewHookRequest, RequestState
from domain.hooks import Hook, HookRules, PlannedSignal, SignalAction, StartAction
from domain.ids import format_id
from domain.ledger import Kind
from domain.runs import RunStatus
from domain.signals import ListenerProjection, ListenerStore
from domain.stores import LedgerReader, NewRun, RunStore
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.postgres_bench import PostgresBench, new_run
from tests.fakes_stores import FakeStores

AT, LATER, MUCH_LATER = "2026-01-05T09:00:00.000000Z", "2099-01-05T10:00:00.000000Z", "2099-01-06T10:00:00.000000Z"
HASH = "h" * 64
FIRST = "first-secret"
RUNS = ("run_00000000000000000000000001", "run_00000000000000000000000002", "run_00000000000000000000000003")


@dataclass
class Bench:
    """The stores of a tenant."""

    tenant: str
    hooks: HookStore
    requests: HookRequestStore
    listeners: ListenerStore
    letters: DeadLetterStore
    runs: RunStore
    ledger: LedgerReader

    async def add(self, name: str = "bank", *, secret: str = FIRST, enabled: bool = True) -> Hook:
        """Register a hook that signals."""
        raw = abs(hash((self.tenant, name))).to_bytes(16, "big")
        action = SignalAction(signal="payment.settled", correlate="${ input.body.claim }")
        hook = Hook(
            tenant=self.tenant,
            hook=format_id("hok", raw),
            name=name,
            action=action,
            scheme="github",
            enabled=enabled,
            created_by="prn_a",
            created_at=AT,
            updated_at=AT,
        )
        return await self.hooks.create(hook, secret_id="s1", secret=secret)

    async def listen(self, run: str, *, opened: bool = True, seq: int = 1, epoch: int = 1, hashed: str = HASH) -> None:
        """Say that a run's step listens, or does not any more."""
        listener = ListenerProjection(step="paid", visit=1, signal="payment.settled", hash=hashed, opened=opened)
        await self.listeners.keep(self.tenant, run, listener, epoch=epoch, fact_seq=seq)

    async def waiting(self, hook: str, webhook_id: str = "w-1", *, run: str | None = None) -> None:
        """Accept a request that waits for a run."""
        signal = PlannedSignal(signal="payment.settled", payload={"sum": 5}, key="c-1", run=run)
        await self.requests.accept(request(self, hook, webhook_id, first="waiting", held=HeldRequest(body="{}", signal=signal)))

    async def kinds(self, run: str) -> list[str]:
        """Return the kinds of a run's entries."""
        return [entry.kind for entry in await self.ledger.entries(self.tenant, run)]


@pytest.fixture(params=["fake", *VERSIONS])
async def stores(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[Bench]:
    """The stores under test."""
    if request.param == "fake":
        fake = FakeStores()
        yield Bench(tenant, fake.hooks, fake.hook_requests, fake.listeners, fake.dead_letters, fake.runs, fake.ledger)
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        bench = PostgresBench(database, tenant)
        vault = Vault.over(database, bench.cipher)
        yield Bench(
            tenant,
            PostgresHookStore(database, bench.cipher),
            PostgresHookRequestStore(database, vault, bench.runs),
            PostgresListenerStore(database),
            PostgresDeadLetterStore(database, bench.cipher),
            bench.runs,
            bench.ledger,
        )


def request(
    bench: Bench,
    hook: str,
    webhook_id: str,
    *,
    first: RequestState = "started",
    content: str | None = None,
    held: HeldRequest | None = None,
) -> NewHookRequest:
    """Build a request."""
    return NewHookRequest(
        tenant=bench.tenant,
        hook=hook,
        source="bank",
        webhook_id=webhook_id,
        content=content or webhook_id,
        first=first,
        correlation_id="corr",
        at=AT,
        held=held,
    )


def a_run(bench: Bench, run: str = RUNS[0]) -> NewRun:
    """Build a run to accept."""
    return new_run(bench.tenant, run)


def a_letter(bench: Bench, subject: str) -> NewDeadLetter:
    """Build the dead letter of a request."""
    return NewDeadLetter(
        tenant=bench.tenant, kind=DeadLetterKind.HOOK, subject=subject, occasion=AT, cause="invalid-input", first_at=AT, last_at=AT
    )


class TestHooks:
    async def test_one_comes_back_as_it_was_registered(self, stores: Bench) -> None:
        made = await stores.add()
        assert await stores.hooks.get(stores.tenant, made.hook) == made
        assert (made.name, made.scheme, made.secrets) == ("bank", "github", {"s1": None})

    async def test_a_name_is_taken_once_and_free_after_a_removal(self, stores: Bench) -> None:
        made = await stores.add()
        with pytest.raises(Conflict):
            await stores.hooks.create(made.model_copy(update={"hook": format_id("hok", b"x" * 16)}), secret_id="s1", secret="secret")
        await stores.hooks.remove(stores.tenant, made.hook, at=AT)
        again = made.model_copy(update={"hook": format_id("hok", b"y" * 16)})
        assert (await stores.hooks.create(again, secret_id="s1", secret="secret")).name == "bank"

    async def test_changes_replace_rules_and_nothing_else(self, stores: Bench) -> None:
        made = await stores.add()
        rules = HookRules(name="till", action=StartAction(definition="delay-claim"), enabled=False, tolerance_s=60)
        changed = await stores.hooks.change(stores.tenant, made.hook, rules, at=LATER)
        assert (changed.name, changed.enabled, changed.action, changed.updated_at) == ("till", False, rules.action, LATER)
        assert (changed.hook, changed.scheme, changed.secrets, changed.created_at) == (made.hook, made.scheme, made.secrets, AT)

    async def test_pages_go_by_name(self, stores: Bench) -> None:
        for name in ("b", "c", "a"):
            await stores.add(name)
        first = await stores.hooks.page(stores.tenant, limit=2, cursor=None)
        second = await stores.hooks.page(stores.tenant, limit=2, cursor=first.next_cursor)
        assert [hook.name for hook in (*first.items, *second.items)] == ["a", "b", "c"]
        assert second.next_cursor is None

    async def test_the_address_finds_hook_tenant_and_secrets(self, stores: Bench) -> None:
        made = await stores.add()
        found = await stores.hooks.find(made.hook, at=AT)
        assert found is not None
        assert (found.hook.tenant, found.hook.hook, found.secrets) == (stores.tenant, made.hook, (FIRST,))

    async def test_the_address_of_a_disabled_or_removed_hook_finds_nothing(self, stores: Bench) -> None:
        disabled, removed = await stores.add("off", enabled=False), await stores.add("gone")
        await stores.hooks.remove(stores.tenant, removed.hook, at=AT)
        assert await stores.hooks.find(disabled.hook, at=AT) is None
        assert await stores.hooks.find(removed.hook, at=AT) is None
        with pytest.raises(NotFound):
            await stores.hooks.get(stores.tenant, removed.hook)

    async def test_a_rotation_keeps_the_old_secret_for_its_time(self, stores: Bench) -> None:
        made = await stores.add()
        rotated = await stores.hooks.rotate(stores.tenant, made.hook, secret_id="s2", secret="second-secret", at=AT, old_until=LATER)
        assert rotated.secrets == {"s1": LATER, "s2": None}
        during, after = await stores.hooks.find(made.hook, at=AT), await stores.hooks.find(made.hook, at=LATER)
        assert during is not None
        assert after is not None
        assert set(during.secrets) == {FIRST, "second-secret"}
        assert after.secrets == ("second-secret",)

    async def test_a_rotation_can_end_the_old_secret_at_once(self, stores: Bench) -> None:
        made = await stores.add()
        rotated = await stores.hooks.rotate(stores.tenant, made.hook, secret_id="s2", secret="second-secret", at=LATER, old_until=LATER)
        assert rotated.secrets == {"s2": None}

    async def test_only_so_many_secrets_are_valid_at_once(self, stores: Bench) -> None:
        made = await stores.add()
        for number in (2, 3, 4):
            await stores.hooks.rotate(stores.tenant, made.hook, secret_id=f"s{number}", secret="secret", at=AT, old_until=LATER)
        with pytest.raises(Conflict):
            await stores.hooks.rotate(stores.tenant, made.hook, secret_id="s5", secret="secret", at=AT, old_until=LATER)
        assert len((await stores.hooks.get(stores.tenant, made.hook)).secrets) == 4

    async def test_another_tenants_is_absent(self, stores: Bench) -> None:
        made = await stores.add()
        with pytest.raises(NotFound):
            await stores.hooks.get("other", made.hook)
        with pytest.raises(NotFound):
            await stores.hooks.remove("other", made.hook, at=AT)


class TestAcceptedRequests:
    async def test_one_is_stored_with_its_run_and_the_entry_that_names_the_hook(self, stores: Bench) -> None:
        hook = await stores.add()
        row, fresh = await stores.requests.accept(request(stores, hook.hook, "w-1"), run=a_run(stores))
        assert (fresh, row.state, row.run) == (True, "started", RUNS[0])
        assert (await stores.runs.get(stores.tenant, RUNS[0])).status is RunStatus.ACCEPTED
        assert await stores.kinds(RUNS[0]) == [Kind.RUN_ACCEPTED, Kind.HOOK_RECEIVED]
        [_, entry] = await stores.ledger.entries(stores.tenant, RUNS[0])
        assert f'"hook":"{hook.hook}"'.encode() in entry.body
        assert entry.principal == hook.hook

    async def test_the_same_id_again_changes_nothing(self, stores: Bench) -> None:
        hook = await stores.add()
        first, _ = await stores.requests.accept(request(stores, hook.hook, "w-1"), run=a_run(stores))
        again, fresh = await stores.requests.accept(request(stores, hook.hook, "w-1", content="other"), run=a_run(stores, RUNS[1]))
        assert (again, fresh) == (first, False)
        with pytest.raises(NotFound):
            await stores.runs.get(stores.tenant, RUNS[1])

    async def test_the_same_content_under_another_id_changes_nothing(self, stores: Bench) -> None:
        hook = await stores.add()
        first, _ = await stores.requests.accept(request(stores, hook.hook, "w-1", content="c"), run=a_run(stores))
        again, fresh = await stores.requests.accept(request(stores, hook.hook, "w-2", content="c"), run=a_run(stores, RUNS[1]))
        assert (again, fresh) == (first, False)

    async def test_the_same_id_at_another_hook_is_another_request(self, stores: Bench) -> None:
        one, two = await stores.add("one"), await stores.add("two")
        await stores.requests.accept(request(stores, one.hook, "w-1"), run=a_run(stores))
        assert (await stores.requests.accept(request(stores, two.hook, "w-1"), run=a_run(stores, RUNS[1])))[1]

    async def test_of_many_at_once_one_is_new(self, stores: Bench) -> None:
        hook = await stores.add()
        made = await asyncio.gather(*(stores.requests.accept(request(stores, hook.hook, "w-1"), run=a_run(stores)) for _ in range(8)))
        assert sorted(fresh for _, fresh in made) == [False] * 7 + [True]
        assert await stores.kinds(RUNS[0]) == [Kind.RUN_ACCEPTED, Kind.HOOK_RECEIVED]

    async def test_a_dead_one_comes_with_its_dead_letter(self, stores: Bench) -> None:
        hook = await stores.add()
        held = HeldRequest(body="no json", event="push")
        row, _ = await stores.requests.accept(
            request(stores, hook.hook, "w-1", first="dead", held=held), letter=a_letter(stores, f"{hook.hook}/w-1")
        )
        assert row.state == "dead"
        assert await stores.requests.held(stores.tenant, hook.hook, "w-1") == held
        [letter] = (await stores.letters.page(stores.tenant, DeadLetterFilter())).items
        assert (letter.kind, letter.subject, letter.cause) == (DeadLetterKind.HOOK, row.subject, "invalid-input")

    async def test_nothing_is_kept_of_a_dead_one_that_is_discarded(self, stores: Bench) -> None:
        hook = await stores.add()
        for name in ("w-1", "w/2"):
            letter = a_letter(stores, f"{hook.hook}/{name}")
            new = request(stores, hook.hook, name, first="dead", held=HeldRequest(body=name))
            await stores.requests.accept(new, letter=letter)
        discarded = a_letter(stores, f"{hook.hook}/w/2").id
        await stores.letters.discard(stores.tenant, discarded, by="prn_o", reason="a test of theirs", at=AT)
        assert await stores.requests.held(stores.tenant, hook.hook, "w/2") is None
        assert await stores.requests.held(stores.tenant, hook.hook, "w-1") == HeldRequest(body="w-1")
        assert (await stores.requests.get(stores.tenant, hook.hook, "w/2")).state == "dead"

    async def test_a_dead_one_is_revived_once(self, stores: Bench) -> None:
        hook = await stores.add()
        await stores.requests.accept(request(stores, hook.hook, "w-1", first="dead", held=HeldRequest(body="x")))
        revived = await stores.requests.revive(request(stores, hook.hook, "w-1"), run=a_run(stores))
        assert (revived.state, revived.first, revived.run) == ("started", "dead", RUNS[0])
        again = await stores.requests.revive(request(stores, hook.hook, "w-1"), run=a_run(stores, RUNS[1]))
        assert again == revived

    async def test_pages_go_newest_first_and_need_a_hook(self, stores: Bench) -> None:
        hook = await stores.add()
        for number in range(3):
            await stores.requests.accept(request(stores, hook.hook, f"w-{number}", first="ignored"))
        first = await stores.requests.page(stores.tenant, hook.hook, limit=2, cursor=None)
        second = await stores.requests.page(stores.tenant, hook.hook, limit=2, cursor=first.next_cursor)
        assert [row.webhook_id for row in (*first.items, *second.items)] == ["w-2", "w-1", "w-0"]
        with pytest.raises(NotFound):
            await stores.requests.page("other", hook.hook, limit=2, cursor=None)


class TestSignals:
    async def test_one_waits_while_nobody_listens(self, stores: Bench) -> None:
        hook = await stores.add()
        await stores.waiting(hook.hook)
        row = await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)
        assert (row.state, row.run, row.attempts) == ("waiting", None, 1)

    async def test_one_goes_to_the_run_that_has_listened_longest(self, stores: Bench) -> None:
        hook = await stores.add()
        for run in RUNS[:2]:
            await stores.runs.accept(a_run(stores, run))
            await stores.listen(run)
        await stores.waiting(hook.hook)
        row = await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)
        assert (row.state, row.run) == ("sending", RUNS[0])
        assert await stores.kinds(RUNS[0]) == [Kind.RUN_ACCEPTED, Kind.SIGNAL_SENT]
        held = await stores.requests.held(stores.tenant, hook.hook, "w-1")
        assert held is not None
        assert held.signal is not None
        assert held.signal.ref

    async def test_two_go_to_two_runs(self, stores: Bench) -> None:
        hook = await stores.add()
        for run in RUNS[:2]:
            await stores.runs.accept(a_run(stores, run))
            await stores.listen(run)
        for name in ("w-1", "w-2", "w-3"):
            await stores.waiting(hook.hook, name)
        rows = await asyncio.gather(
            *(stores.requests.aim(stores.tenant, hook.hook, name, hashed=HASH, at=AT) for name in ("w-1", "w-2", "w-3"))
        )
        assert sorted(row.run or "" for row in rows) == ["", *RUNS[:2]]

    async def test_one_that_is_aimed_stays_so(self, stores: Bench) -> None:
        hook = await stores.add()
        await stores.runs.accept(a_run(stores))
        await stores.listen(RUNS[0])
        await stores.waiting(hook.hook)
        first = await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)
        again = await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)
        assert (again.state, again.run) == (first.state, first.run)
        assert await stores.kinds(RUNS[0]) == [Kind.RUN_ACCEPTED, Kind.SIGNAL_SENT]

    async def test_a_listener_that_has_closed_or_waits_for_another_is_not_found(self, stores: Bench) -> None:
        hook = await stores.add()
        for run in RUNS[:2]:
            await stores.runs.accept(a_run(stores, run))
        await stores.listen(RUNS[0])
        await stores.listen(RUNS[0], opened=False, seq=2)
        await stores.listen(RUNS[0], seq=1)  # a late word of an attempt that was given up
        await stores.listen(RUNS[1], hashed="o" * 64)
        await stores.waiting(hook.hook)
        assert (await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)).state == "waiting"

    async def test_a_listener_opens_again_in_the_next_epoch(self, stores: Bench) -> None:
        hook = await stores.add()
        await stores.runs.accept(a_run(stores))
        await stores.listen(RUNS[0])
        await stores.waiting(hook.hook, "w-1")
        await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)
        await stores.listen(RUNS[0], epoch=2)
        await stores.waiting(hook.hook, "w-2")
        assert (await stores.requests.aim(stores.tenant, hook.hook, "w-2", hashed=HASH, at=AT)).run == RUNS[0]

    async def test_one_that_names_its_run_goes_there_while_it_is_open(self, stores: Bench) -> None:
        hook = await stores.add()
        await stores.waiting(hook.hook, run=RUNS[0])
        assert (await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=None, at=AT)).state == "waiting"
        await stores.runs.accept(a_run(stores))
        assert (await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=None, at=AT)).run == RUNS[0]

    async def test_one_whose_run_has_ended_waits_for_another(self, stores: Bench) -> None:
        hook = await stores.add()
        for run in RUNS[:2]:
            await stores.runs.accept(a_run(stores, run))
            await stores.listen(run)
        await stores.waiting(hook.hook)
        await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)
        await stores.runs.close_externally(stores.tenant, RUNS[0], status=RunStatus.TERMINATED, reason="x", at=AT, epoch=None)
        await stores.requests.unaim(stores.tenant, hook.hook, "w-1")
        assert (await stores.requests.aim(stores.tenant, hook.hook, "w-1", hashed=HASH, at=AT)).run == RUNS[1]

    async def test_a_delivered_one_is_done_and_keeps_nothing(self, stores: Bench) -> None:
        hook = await stores.add()
        await stores.waiting(hook.hook)
        [listed] = await stores.requests.unsettled(stores.tenant, idle_seconds=0, limit=5)
        assert listed.webhook_id == "w-1"
        await stores.requests.settle(stores.tenant, hook.hook, "w-1", state="delivered")
        await stores.requests.settle(stores.tenant, hook.hook, "w-1", state="dead", letter=a_letter(stores, "x"))
        assert (await stores.requests.get(stores.tenant, hook.hook, "w-1")).state == "delivered"
        assert await stores.requests.held(stores.tenant, hook.hook, "w-1") is None
        assert await stores.requests.unsettled(stores.tenant, idle_seconds=0, limit=5) == []
        assert (await stores.letters.page(stores.tenant, DeadLetterFilter())).items == ()

    async def test_one_given_up_keeps_its_body(self, stores: Bench) -> None:
        hook = await stores.add()
        await stores.waiting(hook.hook)
        await stores.requests.settle(
            stores.tenant, hook.hook, "w-1", state="dead", detail="no-listener", letter=a_letter(stores, f"{hook.hook}/w-1")
        )
        row = await stores.requests.get(stores.tenant, hook.hook, "w-1")
        assert (row.state, row.detail) == ("dead", "no-listener")
        held = await stores.requests.held(stores.tenant, hook.hook, "w-1")
        assert held is not None
        assert held.body == "{}"

    async def test_a_listener_needs_a_run(self, stores: Bench) -> None:
        with pytest.raises(NotFound):
            await stores.listen(RUNS[0])
