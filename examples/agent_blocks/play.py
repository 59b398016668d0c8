"""Registers the agents, has somebody else approve them, starts the workflows, and looks at what became of them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

from adapters.codec.cipher import TenantCipher
from examples.agent_blocks.workflows import WORKFLOWS
from standfast_client import AsyncStandfast
from standfast_sdk import RunTicket
from wiring.keys import InstallationKeys, new_id
from wiring.temporal import TemporalLink, connect
from workflows.messages import TASK_QUEUE

BUNDLE = Path(__file__).parent / "bundle"
SCRIPT = Path(__file__).parent / "scripts" / "blocks.yaml"
TENANT = "default"
NAMES = tuple(str(getattr(each, "__temporal_workflow_definition").name).removeprefix("examples.") for each in WORKFLOWS)
"""What the patterns are called."""


class Stage:
    """A development stack, as a person with its keys sees it."""

    def __init__(self, url: str, keys: Mapping[str, str], link: TemporalLink) -> None:
        self._url = url
        self._keys = keys
        self._link = link

    def client(self, role: str) -> AsyncStandfast:
        """Return a client with a role's key."""
        return AsyncStandfast(self._url, self._keys[role])

    async def approve(self) -> list[str]:
        """Register the bundle, and have the approver approve what is not approved yet; return the agents' names."""
        async with self.client("developer") as developer, self.client("approver") as approver:
            made = (await developer.agents.register(BUNDLE)).agents
            for agent in made:
                if agent.status == "draft":
                    await developer.agents.move(agent.name, agent.version, "review", comment="please")
                if agent.status in ("draft", "review"):
                    await approver.agents.move(agent.name, agent.version, "approved", comment="read and found good")
            return [agent.name for agent in made]

    async def start(self, name: str) -> WorkflowHandle[Any, Any]:  # Any: any of the workflows
        """Start one of the patterns."""
        run = new_id("run")
        self._link.tenants.bind(run, TENANT)
        ticket = RunTicket(tenant=TENANT, run=run, principal="prn_example", correlation_id=run)
        return await self._link.client.start_workflow(f"examples.{name}", ticket, id=run, task_queue=TASK_QUEUE)


@asynccontextmanager
async def stage(state_dir: Path, url: str, keys: Mapping[str, str], temporal: str) -> AsyncGenerator[Stage]:
    """Connect to a development stack."""
    master = InstallationKeys(state_dir / "master.key").master
    yield Stage(url, keys, await connect(temporal, namespace="default", cipher=TenantCipher(master)))
