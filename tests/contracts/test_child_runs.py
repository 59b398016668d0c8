"""Runs that runs start: the same principal and data subject, once for each asking effect, and not for ever deeper."""

import pytest
from pydantic import JsonValue

from adapters.postgres.child_runs import PostgresChildRuns
from adapters.postgres.definitions import PostgresDefinitionStore
from adapters.postgres.pool import Database
from adapters.postgres.runs import PostgresRunStore
from adapters.tools.builtins.run_start import RunStart
from domain.budget import Cap
from domain.child_runs import DEPTH_MAX, ChildRequest
from domain.errors import ToolFailed
from domain.registry import DefinitionDraft
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.adapters.tools.builtins.calling import call_of
from tests.contracts.money_bench import MoneyBench
from tests.contracts.postgres_bench import new_run
from tests.contracts.test_stores import draft

PARENT = "run_0000000000000000000000000a"
SCHEMA: dict[str, JsonValue] = {"type": "object", "required": ["n"]}


class House:
    """A tenant with a run and a definition."""

    def __init__(self, db: Database, tenant: str) -> None:
        self.tenant = tenant
        self.runs = PostgresRunStore(db, XorCipher())
        self.definitions = PostgresDefinitionStore(db)
        self.children = PostgresChildRuns(db, self.runs, self.definitions)

    async def open(self) -> "House":
        await self.runs.accept(new_run(self.tenant, PARENT))
        made: DefinitionDraft = draft("1.0.0", name="follow-up").model_copy(update={"input_schema": SCHEMA})
        await self.definitions.register(self.tenant, made, principal="prn_a")
        return self

    def request(self, *, parent: str = PARENT, key: str = "k" * 64, given: JsonValue = None, definition: str = "follow-up") -> ChildRequest:
        value: JsonValue = {"n": 1} if given is None else given
        return ChildRequest(tenant=self.tenant, parent=parent, key=key, definition=definition, input=value, correlation_id="corr")


@pytest.fixture
async def house(db: Database, tenant: str) -> House:
    """The house."""
    return await House(db, tenant).open()


class TestStart:
    async def test_accepts_a_run_of_the_same_principal(self, house: House) -> None:
        child = await house.children.start(house.request())
        row = await house.runs.get(house.tenant, child.run)
        assert (child.status, row.definition, row.principal, row.correlation_id) == ("accepted", "follow-up", "prn_a", "corr")
        assert await house.runs.input_of(house.tenant, child.run) == ({"n": 1}, {})

    async def test_finds_the_same_run_for_the_same_effect(self, house: House) -> None:
        first = await house.children.start(house.request())
        assert await house.children.start(house.request()) == first
        assert (await house.children.start(house.request(key="o" * 64))).run != first.run

    async def test_is_told_what_is_wrong(self, house: House) -> None:
        with pytest.raises(ToolFailed, match="does not fit"):
            await house.children.start(house.request(given={"m": 1}))
        with pytest.raises(ToolFailed, match="nothing-such"):
            await house.children.start(house.request(definition="nothing-such"))

    async def test_goes_no_deeper_than_allowed(self, house: House) -> None:
        parent = PARENT
        for level in range(DEPTH_MAX):
            parent = (await house.children.start(house.request(parent=parent, key=f"{level}" * 64))).run
        with pytest.raises(ToolFailed, match="deeper"):
            await house.children.start(house.request(parent=parent, key="z" * 64))

    async def test_finds_no_parent_of_another_tenant(self, house: House, db: Database) -> None:
        other = PostgresChildRuns(db, house.runs, house.definitions)
        with pytest.raises(ToolFailed):
            await other.start(house.request().model_copy(update={"tenant": house.tenant + "-x"}))


class TestMoney:
    """ADR 0039: a started run draws on the tenant and on its definition, and not on the run that started it."""

    async def test_of_the_tenant_bounds_parent_and_child_together(self, house: House, db: Database) -> None:
        money, child = MoneyBench(db, house.tenant), await house.children.start(house.request())
        await money.limit("tenant", "", 100)
        assert await money.allowed("a", 60, run=PARENT)
        assert not await money.allowed("a", 41, run=child.run)
        assert await money.allowed("b", 40, run=child.run)
        await money.check()

    async def test_of_its_definition_bounds_all_that_were_started(self, house: House, db: Database) -> None:
        money = MoneyBench(db, house.tenant)
        first, second = [(await house.children.start(house.request(key=key * 64))).run for key in "xy"]
        await money.limit("definition", "follow-up", 30)
        assert await money.allowed("a", 20, run=first)
        assert not await money.allowed("a", 11, run=second)
        assert await money.allowed("b", 10, run=second)

    async def test_of_the_parent_is_its_own(self, house: House, db: Database) -> None:
        money, child = MoneyBench(db, house.tenant), await house.children.start(house.request())
        own = [Cap(step="", usd_micros=10)]
        assert [await money.allowed(step, 10, run=PARENT, caps=own) for step in ("a", "b")] == [True, False]
        assert await money.allowed("a", 10, run=child.run)


async def test_the_tool_returns_the_run(house: House) -> None:
    call = call_of(RunStart(house.children), {"definition": "follow-up", "version": "^1", "input": {"n": 2}})
    told = await RunStart(house.children).call(call.model_copy(update={"tenant": house.tenant, "run": PARENT}))
    assert isinstance(told, dict)
    assert (told["definition"], told["status"]) == ("follow-up", "accepted")
