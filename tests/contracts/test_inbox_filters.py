"""The inbox's filters: PostgreSQL, the fake, and a plain look at every row agree."""

from typing import NamedTuple

import pytest

from adapters.postgres.pool import Database
from domain.effects import Carrier
from domain.inbox import InboxFilter, MayDecide
from domain.people_stores import ApprovalStore, DecisionRow
from domain.runs import ApprovalClosure, ApprovalProjection, Projection, RunLedger
from domain.stores import RunStore
from tests.contracts.postgres_bench import PostgresBench, new_run
from tests.fakes_stores import FakeStores

DAYS = [f"2026-03-0{day}T12:00:00.000000Z" for day in range(1, 10)]


class Bench(NamedTuple):
    """One implementation."""

    approvals: ApprovalStore
    runs: RunStore
    ledger: RunLedger


@pytest.fixture(params=["postgres", "fake"])
def bench(request: pytest.FixtureRequest, db: Database, tenant: str) -> Bench:
    """Each implementation."""
    if request.param == "postgres":
        stores = PostgresBench(db, tenant)
        return Bench(stores.approvals, stores.runs, stores.journal)
    fake = FakeStores()
    return Bench(fake.approvals, fake.runs, fake.run_ledger)


def asked(number: int) -> ApprovalProjection:
    """Build an approval whose every field depends on its number."""
    tools = [["bank.pay"], ["bank.pay", "mail.send"], ["mail.send"]][number % 3]
    return ApprovalProjection(
        approval=f"apr_{number:02}",
        step="gate",
        visit=1,
        title=f"Question {number}",
        digest="d" * 64,
        nonce="n",
        calls=[{"step": f"s{place}", "tool": tool, "version": "1.0.0", "arguments": {}} for place, tool in enumerate(tools)],
        reviewer_role=["lead", "clerk"][number % 2],
        reviewer_roles=[["lead", "board"], ["clerk"]][number % 2],
        delegates=["prn_d"] if number % 5 == 0 else [],
        exclude_requester=number % 4 != 0,
        requester=f"prn_{'ab'[number % 2]}",
        opened_at=DAYS[number % 7],
        deadline=None if number % 6 == 5 else DAYS[number % 9],
    )


async def fill(bench: Bench, tenant: str) -> None:
    """Open twenty-four approvals in two runs, decide every fourth, assign every third."""
    for name in ("run_1", "run_2"):
        await bench.runs.accept(new_run(tenant, name, definition="claims" if name == "run_1" else "refunds"))
    for number in range(24):
        run, shown = f"run_{number % 2 + 1}", asked(number)
        carrier = Carrier(tenant=tenant, run=run, epoch=1, principal="prn_a", correlation_id="c")
        await bench.ledger.flush(carrier, Projection(open_approval=shown), fact_seq=0)
        if number % 3 == 0:
            await bench.approvals.assign(tenant, shown.approval, assignee="prn_d", principal="prn_x", take_over=False)
        if number % 4 == 3:
            await decide(bench, carrier, shown)


async def decide(bench: Bench, carrier: Carrier, shown: ApprovalProjection) -> None:
    """Approve by prn_d."""
    name = f"dec_{shown.approval}"
    said = {"decision_id": name, "approval": shown.approval, "verdict": "approve", "digest": "d", "principal": "prn_d", "attestation": ""}
    await bench.approvals.store_decision(DecisionRow(tenant=carrier.tenant, run=carrier.run, **said))  # pyright: ignore[reportArgumentType] - its own fields
    closed = ApprovalClosure(approval=shown.approval, decision="approve", decision_id=name, decided_by="prn_d", decided_at=shown.opened_at)
    await bench.ledger.flush(carrier, Projection(close_approval=closed), fact_seq=0)
    await bench.approvals.settle_decision(carrier.tenant, name, state="accepted", refusal=None)


def plainly(where: InboxFilter) -> list[str]:
    """Return what fits, in order, by looking at each approval."""
    found: list[tuple[tuple[str, str], str]] = []
    for number in range(24):
        shown, run, may = asked(number), f"run_{number % 2 + 1}", where.may_decide
        state = "approved" if number % 4 == 3 else "open"
        fits = (
            where.state in (None, state)
            and where.run in (None, run)
            and where.definition in (None, {"run_1": "claims", "run_2": "refunds"}[run])
            and (where.role is None or where.role in shown.reviewer_roles)
            and (where.tool is None or where.tool in {str(call["tool"]) for call in shown.calls})
            and where.requester in (None, shown.requester)
            and where.assignee in (None, "prn_d" if number % 3 == 0 else "")
            and where.decided_by in (None, "prn_d" if state == "approved" else "")
            and (where.deadline_before is None or (shown.deadline or "9") < where.deadline_before)
            and (may is None or bool(set(may.roles) & set(shown.reviewer_roles)) or may.principal in shown.delegates)
            and (may is None or not (shown.exclude_requester and shown.requester == may.principal))
        )
        if fits:
            found.append(((shown.opened_at if where.order == "opened" else shown.deadline or "9", shown.approval), shown.approval))
    return [name for _, name in sorted(found, reverse=where.order == "opened")]


FILTERS: list[dict[str, object]] = [
    {},
    {"state": "open"},
    {"state": "approved", "order": "opened"},
    {"role": "board"},
    {"role": "clerk", "state": "open", "tool": "mail.send"},
    {"definition": "claims", "order": "opened"},
    {"run": "run_2", "state": "open"},
    {"tool": "bank.pay", "requester": "prn_b"},
    {"assignee": "prn_d", "state": "open", "definition": "refunds"},
    {"decided_by": "prn_d"},
    {"decided_by": "prn_d", "order": "opened", "tool": "bank.pay"},
    {"deadline_before": DAYS[4], "state": "open"},
    {"may_decide": MayDecide(principal="prn_d", roles=()), "state": "open"},
    {"may_decide": MayDecide(principal="prn_a", roles=("lead", "board", "clerk")), "state": "open"},
    {"may_decide": MayDecide(principal="prn_d", roles=("clerk",)), "order": "opened", "role": "board"},
    {"role": "nobody"},
]


class TestInbox:
    async def test_gives_what_fits_in_order_page_by_page(self, bench: Bench, tenant: str) -> None:
        await fill(bench, tenant)
        for given in FILTERS:
            for limit in (1, 4, 50):
                names: list[str] = []
                cursor: str | None = None
                while True:
                    where = InboxFilter.model_validate({**given, "limit": limit, "cursor": cursor})
                    page = await bench.approvals.page(tenant, where)
                    names += [row.projection.approval for row in page.items]
                    cursor = page.next_cursor
                    if cursor is None:
                        break
                assert names == plainly(InboxFilter.model_validate(given)), given
        assert (await bench.approvals.page("other", InboxFilter())).items == ()

    async def test_follows_an_approval_that_changes(self, bench: Bench, tenant: str) -> None:
        await fill(bench, tenant)
        carrier = Carrier(tenant=tenant, run="run_1", epoch=1, principal="prn_a", correlation_id="c")
        changes = {"revision": 1, "reviewer_roles": ["board"], "delegates": ["prn_e"], "deadline": "2026-01-01T00:00:00.000000Z"}
        await bench.ledger.flush(carrier, Projection(open_approval=asked(0).model_copy(update=changes)), fact_seq=0)
        (first, *_) = (await bench.approvals.page(tenant, InboxFilter(state="open"))).items
        assert first.projection.approval == "apr_00"
        assert "apr_00" not in [r.projection.approval for r in (await bench.approvals.page(tenant, InboxFilter(role="lead"))).items]
        found = await bench.approvals.page(tenant, InboxFilter(may_decide=MayDecide(principal="prn_e", roles=())))
        assert [row.projection.approval for row in found.items] == ["apr_00"]

    async def test_remembers_what_was_decided_alike(self, bench: Bench, tenant: str) -> None:
        await fill(bench, tenant)
        row = await bench.approvals.get(tenant, "apr_01")
        found = await bench.approvals.decided_like(tenant, row, limit=3)
        wanted = [
            n for n in range(24) if n % 4 == 3 and {str(c["tool"]) for c in asked(n).calls} & {str(c["tool"]) for c in asked(1).calls}
        ]
        wanted.sort(key=lambda n: (asked(n).opened_at, asked(n).approval), reverse=True)
        assert [each.projection.approval for each in found] == [f"apr_{n:02}" for n in wanted[:3]]
