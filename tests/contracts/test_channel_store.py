"""The store of channels, on both versions of PostgreSQL and on its fake."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

import pytest

from adapters.postgres.channels import PostgresChannelStore
from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.pool import Database
from domain.channels import ChannelRow, ChannelSettings, ChannelStore, Contact
from domain.errors import Conflict, NotFound
from domain.principals import Role
from domain.review_links import LinkGenerations
from domain.stores import KeyStore
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.fakes_channels import FakeChannelStore
from tests.fakes_registry import FakeKeyStore

AT = "2026-03-02T09:00:00.000000Z"
MAIL = ChannelRow(
    channel="chn_1",
    name="Claims by mail",
    kind="email",
    role="claims-approver",
    events=("approval.opened", "task.*"),
    created_by="prn_admin",
    created_at=AT,
)
ROOM = MAIL.model_copy(update={"channel": "chn_2", "name": "Room", "kind": "slack", "role": None, "target": "https://hooks.example/T1"})


class Bench(NamedTuple):
    """A store with its principals."""

    store: ChannelStore
    keys: KeyStore
    tenant: str

    async def person(self, principal: str, *, role: Role = Role.APPROVER, reviewer_roles: tuple[str, ...] = ("claims-approver",)) -> None:
        """Add a principal."""
        key = {"key_id": f"key-{self.tenant}-{principal}", "secret_hmac": b"s" * 32}
        await self.keys.create(self.tenant, principal=principal, name=principal, role=role, reviewer_roles=reviewer_roles, **key)  # pyright: ignore[reportArgumentType]  # two arguments by name

    async def contact(self, principal: str, *, kind: str = "email", address: str | None = None, by: str = "prn_admin") -> Contact:
        """Set a contact."""
        said = {"principal": principal, "kind": kind, "address": address or f"{principal}@example.org"}
        contact = Contact(**said, set_by=by, set_at="2026-01-05T09:00:00.000000Z")
        await self.store.set_contact(self.tenant, contact)
        return contact


@pytest.fixture(params=["fake", *VERSIONS], name="bench")
async def _bench(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[Bench]:
    if request.param == "fake":
        keys = FakeKeyStore()
        yield Bench(FakeChannelStore(keys.principals), keys, tenant)
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        yield Bench(PostgresChannelStore(database, XorCipher()), PostgresKeyStore(database), tenant)


class TestChannels:
    async def test_come_back_as_they_were_added_by_name(self, bench: Bench) -> None:
        for row in (ROOM, MAIL):
            assert await bench.store.add(bench.tenant, row) == row
        assert await bench.store.all(bench.tenant) == [MAIL, ROOM]
        assert await bench.store.get(bench.tenant, "chn_2") == ROOM
        with pytest.raises(NotFound):
            await bench.store.get("other", "chn_2")

    async def test_are_narrowed_to_those_enabled(self, bench: Bench) -> None:
        await bench.store.add(bench.tenant, MAIL)
        await bench.store.add(bench.tenant, ROOM.model_copy(update={"enabled": False}))
        assert [row.channel for row in await bench.store.all(bench.tenant, enabled=True)] == ["chn_1"]

    async def test_have_names_of_their_own(self, bench: Bench) -> None:
        await bench.store.add(bench.tenant, MAIL)
        with pytest.raises(Conflict, match="Claims by mail"):
            await bench.store.add(bench.tenant, MAIL.model_copy(update={"channel": "chn_3"}))
        await bench.store.add(bench.tenant, ROOM)
        with pytest.raises(Conflict):
            await bench.store.change(bench.tenant, "chn_2", MAIL)

    async def test_are_changed_and_removed(self, bench: Bench) -> None:
        await bench.store.add(bench.tenant, ROOM)
        settings = ChannelSettings(name="Ada", kind="slack", principal="prn_1", events=("approval.*",), enabled=False)
        changed = await bench.store.change(bench.tenant, "chn_2", settings)
        assert (changed.name, changed.principal, changed.target, changed.events) == ("Ada", "prn_1", None, ("approval.*",))
        assert (changed.enabled, changed.created_at) == (False, AT)
        await bench.store.remove(bench.tenant, "chn_2")
        for gone in (bench.store.get, bench.store.remove):
            with pytest.raises(NotFound):
                await gone(bench.tenant, "chn_2")
        with pytest.raises(NotFound):
            await bench.store.change(bench.tenant, "chn_2", settings)


class TestContacts:
    async def test_belong_to_principals_and_are_replaced(self, bench: Bench) -> None:
        await bench.person("prn_1")
        await bench.contact("prn_1")
        last = await bench.contact("prn_1", address="ada@example.org", by="prn_1")
        assert await bench.store.contacts(bench.tenant) == [last]
        await bench.contact("prn_1", kind="slack")
        assert [one.address for one in await bench.store.contacts(bench.tenant, principal="prn_1")] == [
            "ada@example.org",
            "prn_1@example.org",
        ]
        await bench.store.remove_contact(bench.tenant, "prn_1", "email")
        await bench.store.remove_contact(bench.tenant, "prn_1", "email")
        assert [one.kind for one in await bench.store.contacts(bench.tenant)] == ["slack"]
        with pytest.raises(NotFound):
            await bench.contact("prn_nobody")

    async def test_reach_who_may_decide_now(self, bench: Bench) -> None:
        await bench.person("prn_1")
        await bench.person("prn_2", role=Role.ADMIN, reviewer_roles=("claims-lead",))
        await bench.person("prn_3", role=Role.VIEWER)
        await bench.person("prn_4")
        for name in ("prn_1", "prn_2", "prn_3"):
            await bench.contact(name)
        find = bench.store.reachable
        assert await find(bench.tenant, "email", roles=("claims-approver", "claims-lead"), principals=None) == ["prn_1", "prn_2"]
        assert await find(bench.tenant, "email", roles=("claims-lead",), principals=None) == ["prn_2"]
        assert await find(bench.tenant, "email", roles=("claims-approver",), principals=("prn_2",)) == []
        assert await find(bench.tenant, "email", roles=None, principals=("prn_1", "prn_3")) == ["prn_1"]
        assert await find(bench.tenant, "slack", roles=None, principals=None) == []
        await bench.keys.set_reviewer_roles(bench.tenant, "prn_1", ())
        assert await find(bench.tenant, "email", roles=("claims-approver",), principals=None) == []


class TestLinkGenerations:
    async def test_begin_with_one_and_rotate(self, bench: Bench) -> None:
        assert await bench.store.generations(bench.tenant) == LinkGenerations(1, 1)
        assert await bench.store.rotate_links(bench.tenant, revoke=False) == LinkGenerations(2, 1)
        assert await bench.store.rotate_links(bench.tenant, revoke=True) == LinkGenerations(3, 3)
        assert await bench.store.rotate_links(bench.tenant, revoke=False) == LinkGenerations(4, 3)
        assert await bench.store.generations(bench.tenant) == LinkGenerations(4, 3)

    async def test_can_be_revoked_at_once(self, bench: Bench) -> None:
        assert await bench.store.rotate_links(bench.tenant, revoke=True) == LinkGenerations(2, 2)
        assert await bench.store.generations("other") == LinkGenerations()
