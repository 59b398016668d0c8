"""The registry of tools through gateway and worker processes: registered alone and called, held back, granted, and in the audit."""

import asyncio
import time

from pydantic import JsonValue

from standfast_client import RunFailedError, Standfast
from tests.adapters.tools.raw_server import answer, serving
from tests.end_to_end.conftest import ClientOf
from tests.examples.running_service import wait_until

SUMS = """\
standfast: 1
name: {name}
version: 1.0.0
input: {{schema: {{type: object}}}}
do:
  - look:
      call: {tool}
      with: {{{arguments}}}
output: "${{ steps.look.output }}"
"""
QUARANTINE_WITHIN_S = 5.0
"""A tool that is held back is called by no run after this time (PROOF B42)."""


def register(client: Standfast, name: str, tool: str, arguments: str) -> None:
    """Register a definition of one call."""
    client.definitions.register({f"{name}.yaml": SUMS.format(name=name, tool=tool, arguments=arguments)})


def outcome(client: Standfast, definition: str) -> str | None:
    """Start a run and return the code it fails with, None when it succeeds."""
    try:
        client.runs.start(definition, {}).result(timeout=100)
    except RunFailedError as failed:
        return failed.code
    return None


class TestTools:
    async def test_registered_alone_are_called_and_audited(self, client: ClientOf) -> None:
        developer, operator = client("developer"), client("operator")
        async with serving(answer(200, '{"celsius": 21}')) as server:
            properties: dict[str, JsonValue] = {"place": {"type": "string"}}
            declared: dict[str, JsonValue] = {
                "name": "weather.now",
                "description": "The weather",
                "method": "GET",
                "url": f"{server.url}/now",
                "query_arguments": {"place": "place"},
                "input": {"type": "object", "properties": properties},
                "effect_class": "read",
            }
            developer.tools.register([declared])
            register(developer, "weather", "weather.now", "place: Oslo")
            run = await asyncio.to_thread(operator.runs.start, "weather", {})
            assert await asyncio.to_thread(run.result, 30) == {"celsius": 21}
            assert server.seen[0].line == "GET /now?place=Oslo HTTP/1.1"
        [call] = client("auditor").tools.calls(run=run.id)
        assert (call.tool, call.verdict, call.agent, call.form.hosts) == ("weather.now", "allowed", None, ["127.0.0.1"])
        assert call.arguments_digest is not None
        assert call.result_digest is not None

    def test_in_quarantine_are_called_by_nobody_within_seconds_until_they_are_released(self, client: ClientOf) -> None:
        operator = client("operator")
        register(client("developer"), "held", "calc", 'expression: "1 + 1"')
        assert outcome(operator, "held") is None
        operator.tools.quarantine("calc", "1.0.0", reason="it is looked at")
        began = time.monotonic()
        try:
            while True:
                started = time.monotonic()
                if outcome(operator, "held") == "tool-quarantined":
                    break
                assert started - began < QUARANTINE_WITHIN_S, "a run that was started after that time called it"
        finally:
            operator.tools.release("calc", "1.0.0", reason="it is well")
        wait_until(lambda: outcome(operator, "held") is None)
        assert [one.state for one in operator.tools.get("calc").changes[:2]] == ["active", "quarantined"]
        assert client("auditor").tools.calls(tool="calc", verdict="quarantined")[0].code == "tool-quarantined"

    def test_are_denied_to_runs_of_people_without_the_role(self, client: ClientOf) -> None:
        operator, admin = client("operator"), client("admin")
        register(client("developer"), "granted", "time.now", "")
        grant = admin.tools.grant("time.now", agents=["steps"], roles=["nobody-has-this"])
        try:
            wait_until(lambda: outcome(operator, "granted") == "tool-denied")
            admin.tools.grant("time.now", agents=["steps"], roles=["operator"])
            wait_until(lambda: outcome(operator, "granted") is None)
        finally:
            admin.tools.revoke(grant.grant)
            admin.tools.grant("time.now", reason="open again")
