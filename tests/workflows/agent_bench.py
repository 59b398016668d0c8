"""Registered agents on the bench: a model that plays each agent's own script, and runs of hand-written workflows that use them."""

import json
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from pydantic import JsonValue

from domain.agents import AgentLimits, AgentManifest, AgentStatus
from domain.errors import ModelFailed, StandfastError
from domain.ids import format_id
from domain.provider import CompletionReply, CompletionRequest, ModelToolCall, OnDelta
from standfast_sdk import RunTicket
from tests.domain.agent_samples import manifest
from tests.fake_provider import answered, calling
from tests.workflows.bench import REQUESTER, Bench, Gate, LiveRun, ScriptedTool

Said = JsonValue | CompletionReply | StandfastError | Gate
"""What an agent says next: a reply, an answer (text as it is, else JSON), an error, or a gate that it waits at before what comes then."""


def calls(*wanted: tuple[str, dict[str, JsonValue]]) -> CompletionReply:
    """Build a reply that asks for tool calls."""
    return calling(*(ModelToolCall(vendor_id=f"v{n}", name=name, arguments=given) for n, (name, given) in enumerate(wanted)))


class Cast:
    """A model that knows its agents by their instructions, `You are NAME.`, and plays what each of them says."""

    def __init__(self, **scripts: Sequence[Said]) -> None:
        self.scripts = {name.replace("_", "-"): deque(lines) for name, lines in scripts.items()}
        self.requests: list[tuple[str, CompletionRequest]] = []

    def told(self, name: str) -> list[str]:
        """Return the last message of each request of an agent."""
        return [request.messages[-1].text for who, request in self.requests if who == name]

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Play the next line. Raises: ModelFailed, when there is none."""
        del on_delta, timeout_s
        name = request.instructions.removeprefix("You are ").partition(".")[0]
        self.requests.append((name, request))
        while True:
            if not self.scripts.get(name):
                raise ModelFailed(f"nothing is left for {name} to say")
            line = self.scripts[name].popleft()
            if isinstance(line, Gate):
                line.reached.set()
                await line.opened.wait()
                continue
            if isinstance(line, StandfastError):
                raise line
            if isinstance(line, CompletionReply):
                return line.model_copy(update={"model": request.model, "answered_by": request.model})
            return answered(line if isinstance(line, str) else json.dumps(line))


def answering(*fields: str) -> dict[str, JsonValue]:
    """Build an output schema that requires these fields."""
    properties: dict[str, JsonValue] = {field: {} for field in fields}
    return {"type": "object", "required": [*fields], "properties": properties}


def actor(
    name: str, *, fields: Sequence[str] = (), limits: AgentLimits | None = None, version: str = "1.0.0", **more: object
) -> AgentManifest:
    """Build an agent of the cast."""
    schema = answering(*fields) if fields else None
    return manifest(name, text=f"You are {name}.", output_schema=schema, limits=limits or AgentLimits(), version=version, **more)


async def approve(bench: Bench, *manifests: AgentManifest, status: AgentStatus = AgentStatus.APPROVED) -> None:
    """Register agents and bring them to a status."""
    store = bench.storage.agents
    for said in manifests:
        agent = await store.register(bench.tenant, said, owner="prn_author", principal="prn_author")
        for after in (AgentStatus.REVIEW, AgentStatus.APPROVED, AgentStatus.DEPRECATED):
            if agent.status is status:
                break
            agent = await store.move(bench.tenant, agent, after, principal="prn_lead", comment="")
        if agent.status is not status:
            await store.move(bench.tenant, agent, status, principal="prn_lead", comment="")


def ticket(bench: Bench, *, history_max: int | None = None) -> RunTicket:
    """Build the ticket of a new run."""
    run = format_id("run", secrets.token_bytes(16))
    return RunTicket(tenant=bench.tenant, run=run, principal=REQUESTER, correlation_id="corr", history_max=history_max)


Workflow = Callable[..., Awaitable[object]]


@asynccontextmanager
async def playing(
    bench: Bench,
    workflow: tuple[type, Workflow],
    provider: Cast,
    *arguments: object,
    tools: Sequence[ScriptedTool] = (),
    history_max: int | None = None,
) -> AsyncGenerator[LiveRun]:
    """Start a workflow beside a worker that plays the cast."""
    given = ticket(bench, history_max=history_max)
    async with bench.worker(*tools, workflows=[workflow[0]], provider=provider):  # pyright: ignore[reportArgumentType] - it is a provider
        yield await bench.begin(workflow[1], given, *arguments, run=given.run)
