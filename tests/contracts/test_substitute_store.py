"""The store of substitutions: one suite for PostgreSQL and for the fake."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.pool import Database
from adapters.postgres.substitutes import PostgresSubstituteStore
from domain.errors import BadRequest, NotFound
from domain.principals import Role
from domain.stores import KeyStore
from domain.substitutes import SubstituteStore, Substitution
from tests.fakes_stores import FakeStores
from tests.fakes_substitutes import FakeSubstituteStore

NOW = datetime.now(UTC)


class Bench(NamedTuple):
    """A store and the principals it knows: prn_a, prn_b and prn_c."""

    store: SubstituteStore
    keys: KeyStore


def substitution(
    name: str, *, reviewer: str = "prn_a", substitute: str = "prn_b", roles: tuple[str, ...] = (), starts: float = -1, ends: float = 24
) -> Substitution:
    """Build a substitution; hours from now."""
    since, until = ((NOW + timedelta(hours=hours)).isoformat(timespec="microseconds").replace("+00:00", "Z") for hours in (starts, ends))
    return Substitution(
        substitution=name, reviewer=reviewer, substitute=substitute, roles=roles, since=since, until=until, set_by="prn_a", created_at=since
    )


@pytest.fixture(params=["postgres", "fake"])
async def bench(request: pytest.FixtureRequest, db: Database, tenant: str) -> Bench:
    """Each implementation."""
    if request.param == "postgres":
        made = Bench(PostgresSubstituteStore(db), PostgresKeyStore(db))
    else:
        keys = FakeStores().keys
        made = Bench(FakeSubstituteStore(keys), keys)
    for name in ("a", "b", "c"):
        given = {"key_id": f"{tenant}-{name}", "secret_hmac": b"s", "principal": f"prn_{name}", "name": name}
        await made.keys.create(tenant, **given, role=Role.APPROVER, reviewer_roles=("lead", "clerk"))  # pyright: ignore[reportArgumentType] - its own keywords
    return made


async def stands_for(bench: Bench, tenant: str, substitute: str = "prn_b") -> list[tuple[str, tuple[str, ...]]]:
    """Return whom somebody may decide for, and with what."""
    return [(each.reviewer.id, each.lent) for each in await bench.store.represented(tenant, substitute)]


class TestSubstitutes:
    async def test_stand_between_their_instants(self, bench: Bench, tenant: str) -> None:
        await bench.store.add(tenant, substitution("sbs_1", roles=("lead", "board")))
        await bench.store.add(tenant, substitution("sbs_2", reviewer="prn_c", starts=1))
        await bench.store.add(tenant, substitution("sbs_3", reviewer="prn_c", starts=-9, ends=-8))
        assert await stands_for(bench, tenant) == [("prn_a", ("lead",))]
        assert await stands_for(bench, tenant, "prn_a") == []
        assert await stands_for(bench, "other") == []

    async def test_follow_what_the_reviewer_has_now(self, bench: Bench, tenant: str) -> None:
        await bench.store.add(tenant, substitution("sbs_1"))
        await bench.keys.set_reviewer_roles(tenant, "prn_a", ("board",))
        assert await stands_for(bench, tenant) == [("prn_a", ("board",))]

    async def test_end_once_and_at_once(self, bench: Bench, tenant: str) -> None:
        await bench.store.add(tenant, substitution("sbs_1"))
        ended = await bench.store.end(tenant, "sbs_1", principal="prn_a")
        assert (ended.ended_by, ended.ended_at is None) == ("prn_a", False)
        assert await bench.store.end(tenant, "sbs_1", principal="prn_c") == ended
        assert await stands_for(bench, tenant) == []
        with pytest.raises(NotFound):
            await bench.store.end("other", "sbs_1", principal="prn_a")

    async def test_are_stored_once_as_they_are(self, bench: Bench, tenant: str) -> None:
        made = substitution("sbs_1", roles=("lead",))
        stored = await bench.store.add(tenant, made)
        assert stored.model_copy(update={"created_at": made.created_at}) == made
        assert await bench.store.add(tenant, substitution("sbs_1", substitute="prn_c")) == stored
        assert await bench.store.get(tenant, "sbs_1") == stored
        with pytest.raises(NotFound):
            await bench.store.get("other", "sbs_1")

    @pytest.mark.parametrize("stranger", [{"reviewer": "prn_z"}, {"substitute": "prn_z"}])
    async def test_are_principals_of_the_tenant(self, bench: Bench, tenant: str, stranger: dict[str, str]) -> None:
        with pytest.raises(NotFound):
            await bench.store.add(tenant, substitution("sbs_1", **stranger))  # pyright: ignore[reportArgumentType] - names of people only

    async def test_page_by_principal_and_standing(self, bench: Bench, tenant: str) -> None:
        await bench.store.add(tenant, substitution("sbs_1", starts=-3))
        await bench.store.add(tenant, substitution("sbs_2", reviewer="prn_c", substitute="prn_a", starts=-2))
        await bench.store.add(tenant, substitution("sbs_3", reviewer="prn_c", starts=-9, ends=-8))
        await bench.store.add(tenant, substitution("sbs_4", starts=5))
        await bench.store.end(tenant, "sbs_1", principal="prn_a")
        seen: dict[tuple[str | None, bool], list[str]] = {}
        for principal, standing in ((None, False), ("prn_a", False), ("prn_a", True), ("prn_z", False)):
            names: list[str] = []
            cursor: str | None = None
            while True:
                page = await bench.store.page(tenant, principal=principal, standing=standing, limit=1, cursor=cursor)
                names += [row.substitution for row in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
            seen[principal, standing] = names
        assert seen == {
            (None, False): ["sbs_4", "sbs_2", "sbs_1", "sbs_3"],
            ("prn_a", False): ["sbs_4", "sbs_2", "sbs_1"],
            ("prn_a", True): ["sbs_4", "sbs_2"],
            ("prn_z", False): [],
        }
        with pytest.raises(BadRequest):
            await bench.store.page(tenant, principal=None, standing=False, limit=1, cursor="bogus")
