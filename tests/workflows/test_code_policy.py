"""Policy on the calls of hand-written workflows: whoever steers what their code passes on reaches nobody without a declared permit."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from pydantic import JsonValue
from temporalio import workflow

from domain.effects import EffectClass
from domain.errors import ToolFailed
from domain.labels import Label
from tests.workflows.agent_bench import Cast, actor, approve, calls, ticket
from tests.workflows.bench import Bench, LiveRun, ScriptedTool
from tests.workflows.test_agent_policy import choose

with workflow.unsafe.imports_passed_through():
    from standfast_sdk import Call, HandedOver, Made, Run, RunTicket, Saga, Undoing, run_agent

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOOLS = ["bank.pay", "page.read", "crm.find", "notes.keep"]
EVIL, GOOD = "DE99 ATTACKER", "DE01 CUSTOMER"
FORBID = """
@id("all") @untrusted("*") permit (principal, action, resource);
@id("not-this-one") forbid (principal == Definition::"Clerk", action == Action::"money", resource);
"""
PERMIT = '@id("clerk-pays") @untrusted("to") permit (principal == Definition::"Clerk", action, resource == Tool::"bank.pay");'
READS = '@id("reads") permit (principal, action in [Action::"none", Action::"read"], resource);'


def text_of(read: JsonValue, key: str) -> JsonValue:
    """Return a part of what a tool answered."""
    return read[key] if isinstance(read, dict) else None


@workflow.defn(sandboxed=False)
class Payer:
    """Pays whom its parent names."""

    @workflow.run
    async def run(self, ticket: RunTicket, account: str) -> HandedOver:
        """Pay."""
        async with Run(ticket, tools=TOOLS, given={"to": account}) as run:
            async with Saga(run, "s", hand_over=True) as saga:
                await saga.step("pay", Call(tool="bank.pay", arguments={"to": account}))
            return saga.handed_over()


@workflow.defn(sandboxed=False)
class Clerk:
    """Reads something, and then pays somebody."""

    @workflow.run
    async def run(self, ticket: RunTicket, reads: str, pays: str) -> None:
        """Read and pay: an account that it was given, or the one that it has read."""
        async with Run(ticket, tools=TOOLS, agents=["solo"], restart_with=[reads, pays], given={"to": GOOD}) as run:
            read: JsonValue = None
            if reads == "agent":
                read = {"to": await run_agent(run, "read", "solo", "Who is to be paid?")}
            elif reads == "signal":
                run.reads("the clerk's own signal")
                read = {"to": EVIL}
            elif reads:
                read = await run.call("read", Call(tool=reads))
            to = GOOD if pays != "read" else text_of(read, "to")
            if pays == "child":
                await run.call("before", Call(tool="crm.find"))
                async with Saga(run, "s") as saga:
                    await saga.child("payer", Payer.run, text_of(read, "to"))
                return
            await run.call("note", Call(tool="notes.keep", arguments={"text": to}))
            await run.call("pay", Call(tool="bank.pay", arguments={"to": to}))


def account_of(made: Made) -> dict[str, JsonValue]:
    """Name the account of the booking's answer."""
    return {"to": text_of(made.output, "to")}


def own_account(made: Made) -> dict[str, JsonValue]:
    """Name the account that the booking was called with."""
    return {"to": made.arguments["to"]}


@workflow.defn(sandboxed=False)
class Booker:
    """Books, and pays back when what comes after it fails."""

    @workflow.run
    async def run(self, ticket: RunTicket, pays_back: str) -> None:
        """Book, and fail."""
        ways = {"answer": account_of, "own": own_account, "fixed": {"to": GOOD}}
        async with Run(ticket, tools=["page.read", "bank.pay", "notes.keep"]) as run, Saga(run, "s") as saga:
            undo = Undoing(tool="bank.pay", arguments=ways[pays_back])
            await saga.step("book", Call(tool="page.read", arguments={"to": GOOD}), undo=undo)
            await saga.step("note", Call(tool="notes.keep"))


def tool(name: str, *script: JsonValue, effect_class: EffectClass, **more: object) -> ScriptedTool:
    """Build a tool that declares more than the bench's do."""
    made = ScriptedTool(name, *script, effect_class=effect_class)
    made.spec = made.spec.model_copy(update=more)
    return made


class Office:
    """The tools of a clerk; each answer names the attacker."""

    def __init__(self) -> None:
        evil: JsonValue = {"to": EVIL}
        self.pay = tool("bank.pay", effect_class=EffectClass.MONEY, sensitive_arguments=("to",))
        self.keep = tool("notes.keep", effect_class=EffectClass.WRITE, trust="trusted")
        self.page = tool("page.read", evil, effect_class=EffectClass.READ)
        self.crm = tool("crm.find", evil, effect_class=EffectClass.READ, trust="trusted")

    @property
    def paid(self) -> list[JsonValue]:
        """Who was paid."""
        return [call.arguments["to"] for call in self.pay.calls]

    @property
    def noted(self) -> list[Label]:
        """The labels that a note was kept with."""
        return list(self.keep.calls[0].labels)


@asynccontextmanager
async def booking(bench: Bench, office: Office, pays_back: str) -> AsyncGenerator[LiveRun]:
    """Start a booking beside a worker; the note after it is refused."""
    given = ticket(bench)
    async with bench.worker(office.pay, office.page, ScriptedTool("notes.keep", ToolFailed("no")), workflows=[Booker]):
        yield await bench.begin(Booker.run, given, pays_back, run=given.run)


@asynccontextmanager
async def working(bench: Bench, office: Office, reads: str, pays: str, **more: object) -> AsyncGenerator[LiveRun]:
    """Start a clerk beside a worker, with an agent that reads a page and repeats the account in it."""
    await approve(bench, actor("solo", tools=("page.read",)))
    cast = Cast(solo=[calls(("page.read", {})), EVIL])
    given = ticket(bench).model_copy(update=more)
    tools = [office.pay, office.keep, office.page, office.crm]
    async with bench.worker(*tools, workflows=[Clerk, Payer], provider=cast):  # pyright: ignore[reportArgumentType] - a provider
        yield await bench.begin(Clerk.run, given, reads, pays, run=given.run)


class TestCallOfCode:
    @pytest.mark.parametrize("reads", ["agent", "page.read", "signal"])
    async def test_reaches_nobody_whom_something_untrusted_may_have_chosen(self, bench: Bench, reads: str) -> None:
        office = Office()
        async with working(bench, office, reads, "read") as run:
            assert await run.failure() == "approval-required"
            assert "agent:tool:failed" in await run.kinds()
        assert office.paid == []
        assert "tool:untrusted" in office.noted

    async def test_stays_untrusted_in_the_next_execution(self, bench: Bench) -> None:
        office = Office()
        async with working(bench, office, "page.read", "read", history_max=8) as run:
            assert await run.failure() == "approval-required"
            assert (await run.state()).epoch > 1
        assert (office.paid, len(office.page.calls)) == ([], 1)

    @pytest.mark.parametrize("history_max", [None, 8])
    async def test_in_a_child_is_as_untrusted_as_what_its_parent_has_read(self, bench: Bench, history_max: int | None) -> None:
        office = Office()
        async with working(bench, office, "page.read", "child", history_max=history_max) as run:
            assert await run.failure() == "approval-required"
            assert ((await run.state()).epoch > 1) is (history_max is not None)
        assert office.paid == []

    @pytest.mark.parametrize("reads", ["", "agent", "page.read"])
    async def test_may_name_what_the_workflow_had_before_it_read_anything(self, bench: Bench, reads: str) -> None:
        office = Office()
        async with working(bench, office, reads, "given") as run:
            await run.handle.result()
        assert office.paid == [GOOD]

    async def test_names_nothing_by_right_when_somebody_else_wrote_the_arguments(self, bench: Bench) -> None:
        office = Office()
        async with working(bench, office, "", "given", principal="hok_1") as run:
            assert await run.failure() == "approval-required"
        assert office.paid == []

    async def test_may_name_what_a_trusted_tool_answered(self, bench: Bench) -> None:
        office = Office()
        async with working(bench, office, "crm.find", "read") as run:
            await run.handle.result()
        assert (office.paid, office.noted) == ([EVIL], ["user", "tool:trusted"])

    async def test_is_made_where_a_policy_lets_anybody_choose(self, bench: Bench) -> None:
        await choose(bench, PERMIT + READS + '@id("notes") permit (principal, action, resource == Tool::"notes.keep");')
        office = Office()
        async with working(bench, office, "page.read", "read") as run:
            await run.handle.result()
        assert office.paid == [EVIL]

    async def test_is_forbidden_by_the_name_of_its_workflow(self, bench: Bench) -> None:
        await choose(bench, FORBID)
        office = Office()
        async with working(bench, office, "", "given") as run:
            assert await run.failure() == "policy-denied"
        assert office.paid == []


class TestCompensationOfCode:
    async def test_asks_a_person_where_an_untrusted_answer_says_whom_to_pay(self, bench: Bench) -> None:
        office = Office()
        async with booking(bench, office, "answer") as run:
            task = await run.task("failed_compensation")
            assert "an untrusted source (tool:untrusted) may have chosen to" in task.projection.detail
            await run.complete(task, "happened")
            assert await run.failure() == "tool-failed"
        assert office.paid == []

    @pytest.mark.parametrize("pays_back", ["own", "fixed"])
    async def test_is_done_where_nobody_else_chose_whom_to_pay(self, bench: Bench, pays_back: str) -> None:
        office = Office()
        async with booking(bench, office, pays_back) as run:
            assert await run.failure() == "tool-failed"
        assert office.paid == [GOOD]
