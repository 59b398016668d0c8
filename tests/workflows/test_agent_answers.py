"""A reviewer's question goes to the agent whose answer they judge, and comes back; nobody is held up by an agent that has no answer."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.errors import ModelFailed
from domain.people_stores import ApprovalRow
from domain.program import Program
from tests.domain.programs import agent, approve, call, program
from tests.fake_provider import FakeProvider, answered
from tests.workflows.bench import Bench, LiveRun, ScriptedTool, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCHEMA = {"type": "object", "properties": {"amount": {"type": "integer"}}}


def reviewed(*, agent_answers: bool = True) -> Program:
    """Build a program in which an agent proposes an amount that a person approves."""
    pay = call("pay", arguments={"amount": "${ steps.review.output.amount }"})
    gate = approve("gate", binds=["pay"], title="Pay ${ steps.review.output.amount }?", agent_answers=agent_answers)
    return program(agent("review", output_schema=SCHEMA, tools=["flights.find"]), gate, pay)


async def shown(run: LiveRun, *, revision: int) -> ApprovalRow:
    """Return the approval when the inbox shows a revision of it."""

    async def ready() -> ApprovalRow | None:
        row = await run.bench.storage.approvals.get(run.bench.tenant, (await run.approval()).approval)
        return row if row.projection.revision >= revision else None

    return await until(ready)


async def has_kind(run: LiveRun, kind: str) -> bool | None:
    """Return whether the run's ledger has an entry of a kind; None if not."""
    return kind in await run.kinds() or None


class TestQuestion:
    async def test_comes_back_with_the_agents_answer(self, bench: Bench) -> None:
        provider = FakeProvider(answered('{"amount": 80}'), answered("The policy says 80\u202e."), answered("Page 4."))
        async with bench.worker(ScriptedTool("bank.pay"), provider=provider):
            run = await bench.start(reviewed())
            await run.decide(run.decision(await run.approval(), verdict="request_info", comment="Why 80?"))
            events = (await shown(run, revision=2)).projection.events
            told = [(event.verdict, event.principal, event.comment) for event in events][1:]
            assert told == [("give_info", "agent:review", "The policy says 80[U+202E RIGHT-TO-LEFT OVERRIDE].")]
            asked = provider.requests[1]
            assert [message.role for message in asked.messages] == ["user", "assistant", "user"]
            assert "Why 80?" in asked.messages[-1].text
            assert "Pay 80?" in asked.messages[-1].text
            assert asked.output_schema is None
            assert [tool.name for tool in asked.tools] == ["flights.find"]
            await run.decide(run.decision(await run.approval(), verdict="request_info", comment="Which page?"))
            await shown(run, revision=4)
            assert "The policy says 80" in provider.requests[2].messages[-1].text
            await run.decide(run.decision(await run.approval()))
            await run.handle.result()
            kinds = await run.kinds()
            assert kinds.count("human:approval:info_requested") == kinds.count("agent:approval:info_given") == 2
            row = await bench.storage.runs.get(bench.tenant, run.run)
            assert row.input_tokens == 3 * answered("x").input_tokens

    async def test_that_the_agent_cannot_answer_waits_for_the_requester(self, bench: Bench) -> None:
        provider = FakeProvider(answered('{"amount": 80}'), ModelFailed("no more"))
        async with bench.worker(ScriptedTool("bank.pay"), provider=provider):
            run = await bench.start(reviewed())
            await run.decide(run.decision(await run.approval(), verdict="request_info", comment="Why?"))
            await until(lambda: has_kind(run, "agent:model:failed"))
            await run.decide(run.decision(await run.approval(), verdict="give_info", by="prn_starter", comment="Because."))
            await run.decide(run.decision(await run.approval()))
            await run.handle.result()

    async def test_is_the_requesters_where_the_definition_says_nothing(self, bench: Bench) -> None:
        provider = FakeProvider(answered('{"amount": 80}'))
        async with bench.worker(ScriptedTool("bank.pay"), provider=provider):
            run = await bench.start(reviewed(agent_answers=False))
            await run.decide(run.decision(await run.approval(), verdict="request_info", comment="Why?"))
            await run.decide(run.decision(await run.approval(), verdict="give_info", by="prn_starter", comment="Because."))
            with pytest.raises(WorkflowUpdateFailedError):
                await run.decide(run.decision(await run.approval(), verdict="give_info", by="prn_starter", comment="Again."))
            await run.decide(run.decision(await run.approval()))
            await run.handle.result()
            assert len(provider.requests) == 1

    async def test_whose_answer_does_not_come_holds_no_decision_up(self, bench: Bench) -> None:
        provider = FakeProvider(answered('{"amount": 80}'))
        async with bench.worker(ScriptedTool("bank.pay"), provider=provider):
            run = await bench.start(reviewed())
            opened = await run.approval()
            provider.hang()
            await run.decide(run.decision(opened, verdict="request_info", comment="Why?"))
            await until(lambda: asked(provider, times=2))
            await run.decide(run.decision(await run.approval()))
            await run.handle.result()
            assert "agent:approval:info_given" not in await run.kinds()


async def asked(provider: FakeProvider, *, times: int) -> bool | None:
    """Return whether the model was asked so often; None if not."""
    return len(provider.requests) >= times or None
