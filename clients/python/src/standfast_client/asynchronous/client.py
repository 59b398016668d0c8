"""The asynchronous client."""

from pathlib import Path
from typing import Self

import httpx2

from standfast_client.asynchronous.agents import AsyncAgents, AsyncPrompts
from standfast_client.asynchronous.channels import AsyncChannelBook
from standfast_client.asynchronous.dead_letters import AsyncDeadLetters
from standfast_client.asynchronous.hooks import AsyncHooks
from standfast_client.asynchronous.ledgers import AsyncLedger
from standfast_client.asynchronous.mcp import AsyncMcpServers, AsyncSecrets
from standfast_client.asynchronous.memory import AsyncMemories
from standfast_client.asynchronous.model_table import AsyncModels
from standfast_client.asynchronous.money import AsyncBudgets, AsyncCostBook
from standfast_client.asynchronous.people import AsyncApprovals, AsyncTasks
from standfast_client.asynchronous.policies import AsyncPolicies
from standfast_client.asynchronous.registry import AsyncDefinitions
from standfast_client.asynchronous.reviewing import AsyncCalendars, AsyncSubstitutes
from standfast_client.asynchronous.runs import AsyncRuns
from standfast_client.asynchronous.subjects import AsyncErasures, AsyncRetentions
from standfast_client.asynchronous.tools import AsyncTools
from standfast_client.asynchronous.webhooks import AsyncWebhooks
from standfast_client.drivers import AsyncDriver
from standfast_client.exchange import RetryPolicy
from standfast_client.settings import find_connection


class AsyncStandfast:
    """A connection to a gateway. Close it, or use it as an asynchronous context manager.

    Without arguments it speaks to the stack that `standfast dev` runs here; `find_connection` says where URL and key come from.

    Attributes:
        connection: Where it speaks to.
        runs: Start and follow runs.
        approvals: The inbox, and decisions.
        calendars: Working hours.
        substitutes: Who decides in whose place.
        tasks: Work for people, and questions about what may have happened.
        dead_letters: What was given up, to redrive or discard.
        definitions: The registry.
        agents: Registered agents, and where their versions stand.
        prompts: The texts of their instructions.
        tools: What may be called, by whom, and what was.
        erasures: Erase data subjects; see what was erased.
        retention: How long content is kept, and legal holds.
        ledger: Ledgers, and the check of them.
        webhooks: Where events go, and what became of each delivery.
        hooks: Senders whose webhooks start runs or become signals.
        channels: Who is told of approvals and tasks, and where.
        mcp_servers: MCP servers, and what is approved of them.
        memory: What agents saved beyond their runs.
        policies: Which tool calls are allowed, denied, or put before a person.
        secrets: Where the values of secrets lie.
        budgets: What may be used.
        costs: What was settled, invoices, estimates and prices.
        models: Words that stand for models, and what models can do.

    Args:
        url: Base URL of the gateway, such as `http://127.0.0.1:8080`.
        key: API key.
        role: Whose key of `dev.json` to use, such as `approver`.
        state_dir: The state folder of the local stack.
        retry: How requests are repeated.
        transport: An httpx2 transport to use instead of the network.

    Raises:
        NotConfiguredError: When no URL or no key can be found.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        role: str | None = None,
        state_dir: Path | None = None,
        retry: RetryPolicy | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.connection = find_connection(url, key, role=role, state_dir=state_dir)
        self._driver = AsyncDriver(self.connection, retry or RetryPolicy(), transport)
        self.runs = AsyncRuns(self._driver)
        self.approvals = AsyncApprovals(self._driver)
        self.calendars = AsyncCalendars(self._driver)
        self.substitutes = AsyncSubstitutes(self._driver)
        self.tasks = AsyncTasks(self._driver)
        self.dead_letters = AsyncDeadLetters(self._driver)
        self.definitions = AsyncDefinitions(self._driver)
        self.agents = AsyncAgents(self._driver)
        self.prompts = AsyncPrompts(self._driver)
        self.tools = AsyncTools(self._driver)
        self.erasures = AsyncErasures(self._driver)
        self.retention = AsyncRetentions(self._driver)
        self.ledger = AsyncLedger(self._driver)
        self.webhooks = AsyncWebhooks(self._driver)
        self.hooks = AsyncHooks(self._driver)
        self.channels = AsyncChannelBook(self._driver)
        self.mcp_servers = AsyncMcpServers(self._driver)
        self.memory = AsyncMemories(self._driver)
        self.policies = AsyncPolicies(self._driver)
        self.secrets = AsyncSecrets(self._driver)
        self.budgets = AsyncBudgets(self._driver)
        self.costs = AsyncCostBook(self._driver)
        self.models = AsyncModels(self._driver)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._driver.close()
