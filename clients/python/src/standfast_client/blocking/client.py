"""The blocking client."""

from pathlib import Path
from typing import Self

import httpx2

from standfast_client.blocking.agents import Agents, Prompts
from standfast_client.blocking.channels import ChannelBook
from standfast_client.blocking.dead_letters import DeadLetters
from standfast_client.blocking.hooks import Hooks
from standfast_client.blocking.ledgers import Ledger
from standfast_client.blocking.mcp import McpServers, Secrets
from standfast_client.blocking.memory import Memories
from standfast_client.blocking.model_table import Models
from standfast_client.blocking.money import Budgets, CostBook
from standfast_client.blocking.people import Approvals, Tasks
from standfast_client.blocking.policies import Policies
from standfast_client.blocking.registry import Definitions
from standfast_client.blocking.reviewing import Calendars, Substitutes
from standfast_client.blocking.runs import Runs
from standfast_client.blocking.subjects import Erasures, Retentions
from standfast_client.blocking.tools import Tools
from standfast_client.blocking.webhooks import Webhooks
from standfast_client.drivers import Driver
from standfast_client.exchange import RetryPolicy
from standfast_client.settings import find_connection


class Standfast:
    """A connection to a gateway. Close it, or use it as a context manager.

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
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.connection = find_connection(url, key, role=role, state_dir=state_dir)
        self._driver = Driver(self.connection, retry or RetryPolicy(), transport)
        self.runs = Runs(self._driver)
        self.approvals = Approvals(self._driver)
        self.calendars = Calendars(self._driver)
        self.substitutes = Substitutes(self._driver)
        self.tasks = Tasks(self._driver)
        self.dead_letters = DeadLetters(self._driver)
        self.definitions = Definitions(self._driver)
        self.agents = Agents(self._driver)
        self.prompts = Prompts(self._driver)
        self.tools = Tools(self._driver)
        self.erasures = Erasures(self._driver)
        self.retention = Retentions(self._driver)
        self.ledger = Ledger(self._driver)
        self.webhooks = Webhooks(self._driver)
        self.hooks = Hooks(self._driver)
        self.channels = ChannelBook(self._driver)
        self.mcp_servers = McpServers(self._driver)
        self.memory = Memories(self._driver)
        self.policies = Policies(self._driver)
        self.secrets = Secrets(self._driver)
        self.budgets = Budgets(self._driver)
        self.costs = CostBook(self._driver)
        self.models = Models(self._driver)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._driver.close()
