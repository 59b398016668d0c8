"""Tools of a real MCP server in the hands of an agent, under the policies that come with the platform, through the whole stack."""

import asyncio

import pytest
from mcp_types import Tool

from standfast_client import Standfast
from tests.examples.running_service import wait_until
from tests.servers.mcp_http_server import McpHttpServer, serving_mcp
from tests.servers.model_server import Answer, ModelServer, PlannedCall
from tests.servers.stack import LiveStack

DESK = """\
standfast: 1
name: desk
version: 1.0.0
input: {schema: {type: object}}
do:
  - work:
      agent:
        model: compatible/any
        instructions: {text: "Read the letter and answer it."}
        input: "go on"
        tools: [mcp.desk.read_letter, mcp.desk.send_letter]
        max_turns: 5
output: {said: "${ steps.work.output }"}
"""
READ = Tool(name="read_letter", description="Reads a letter.", input_schema={"type": "object", "properties": {"id": {"type": "string"}}})
SEND = Tool(
    name="send_letter",
    description="Sends a letter.",
    input_schema={"type": "object", "properties": {"to": {"type": "string"}, "text": {"type": "string"}}, "required": ["to", "text"]},
)
LETTER = {"to": "stranger@example.org", "text": "as you asked"}


def client(stack: LiveStack, role: str) -> Standfast:
    """Return a client with a role's key."""
    return Standfast(stack.dev["gateway_url"], stack.dev["api_keys"][role])


def connect(stack: LiveStack, server: McpHttpServer) -> None:
    """Register the server, approve its tools as a person who has read them, and register the definition."""
    with client(stack, "admin") as admin, client(stack, "developer") as developer:
        admin.mcp_servers.add({"name": "desk", "transport": "http", "url": server.url})
        for tool in admin.mcp_servers.check("desk").tools:
            effect = "read" if tool.tool == "read_letter" else "write"
            admin.mcp_servers.approve("desk", {"tool": tool.name, "pin": tool.pin, "effect_class": effect})
        developer.definitions.register({"desk.yaml": DESK})


def approve(stack: LiveStack, run: str, server: McpHttpServer) -> None:
    """Wait for the run's question, look at it, see that nothing was sent yet, and say yes."""
    with client(stack, "approver") as approver:
        wait_until(lambda: bool(approver.approvals.list(run=run)))
        [asked] = approver.approvals.list(run=run)
        assert [(call.tool, call.arguments) for call in asked.calls] == [("mcp.desk.send_letter", LETTER)]
        assert [call.name for call in server.calls] == ["read_letter"]
        approver.approvals.approve(asked.approval)


@pytest.mark.timeout(180)
class TestMcpTools:
    async def test_read_at_once_and_change_the_world_once_a_person_has_seen_the_call(self, stack: LiveStack, models: ModelServer) -> None:
        async with serving_mcp(READ, SEND) as server:
            await asyncio.to_thread(connect, stack, server)
            read, send = PlannedCall("mcp.desk.read_letter", {"id": "7"}), PlannedCall("mcp.desk.send_letter", dict(LETTER))
            models.plan(Answer(calls=(read,)), Answer(calls=(send,)), Answer(text="sent"))
            with client(stack, "operator") as operator:
                run = await asyncio.to_thread(operator.runs.start, "desk", {})
                await asyncio.to_thread(approve, stack, run.id, server)
                assert await asyncio.to_thread(run.result, 100) == {"said": "sent"}
        assert [(call.name, call.arguments) for call in server.calls] == [("read_letter", {"id": "7"}), ("send_letter", LETTER)]
        with client(stack, "auditor") as auditor:
            told = [(call.tool, call.verdict) for call in auditor.tools.calls(run=run.id)]
        assert sorted(told) == [("mcp.desk.read_letter", "allowed"), ("mcp.desk.send_letter", "allowed")]
