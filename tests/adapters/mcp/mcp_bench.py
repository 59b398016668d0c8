"""A toolbox over fake stores that speaks to real servers."""

from dataclasses import dataclass, field

from mcp_types import Tool
from pydantic import JsonValue

from adapters.mcp.authorizer import McpAuthorizer
from adapters.mcp.toolbox import McpToolbox
from adapters.sandboxes.interactive import BubblewrapSessions
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from domain.effects import EffectClass
from domain.known_secrets import KnownSecrets
from domain.mcp import Approval, McpServerDraft, McpTool, approved, seen
from domain.tools import ToolCall
from tests.fakes_mcp import FakeMcpServers, FakeMcpTokens, now_text
from tests.outbound import outbound

TENANT = "acme"
SECRETS = {"FILES_KEY": "s3cret-key-of-files"}
SCHEMA: dict[str, JsonValue] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ = Tool(name="read_file", description="Read a file.", input_schema=SCHEMA)
WRITE = Tool(name="write_file", description="Write a file.", input_schema=SCHEMA)


async def secret(_tenant: str, name: str) -> str:
    """Return a secret."""
    return SECRETS[name]


def call_of(tool: str, arguments: dict[str, JsonValue] | None = None, *, tenant: str = TENANT, deadline_s: float = 20.0) -> ToolCall:
    """Return a call."""
    return ToolCall(
        tool=tool,
        version="1.0.0",
        arguments={"path": "a.txt"} if arguments is None else arguments,
        idempotency_key="k" * 64,
        correlation_id="c",
        tenant=tenant,
        run="run_1",
        deadline_s=deadline_s,
    )


@dataclass
class McpBench:
    """The toolbox with its stores; `beats` are what calls told of their progress."""

    sessions: BubblewrapSessions = field(default_factory=BubblewrapSessions)
    now_s: float = 1000.0
    beats: list[tuple[float, float | None]] = field(default_factory=list[tuple[float, float | None]])

    def __post_init__(self) -> None:
        """Build it."""
        self.known = KnownSecrets()
        self.servers = FakeMcpServers()
        self.tokens = FakeMcpTokens(self.servers)
        self.authorizer = McpAuthorizer(clients=outbound(), tokens=self.tokens, secret=secret, now_s=lambda: self.now_s, allow_plain=True)
        self.box = McpToolbox(
            servers=self.servers,
            sessions=self.sessions,
            profiles=DEFAULT_PROFILES,
            clients=outbound(),
            authorizer=self.authorizer,
            secret=secret,
            clock=now_text,
            known=self.known,
            heartbeat=lambda _call, done, total: self.beats.append((done, total)),
        )

    async def register(self, url: str, *, tenant: str = TENANT, name: str = "files", **more: object) -> None:
        """Register an http server."""
        draft = McpServerDraft.model_validate({"name": name, "transport": "http", "url": url, **more})
        await self.servers.put(tenant, draft, by="prn_a")

    async def approve_all(self, *, tenant: str = TENANT, name: str = "files", effect: EffectClass = EffectClass.READ) -> list[McpTool]:
        """Ask a server for its tools, and approve all of them as they are."""
        listed = await self.box.listing(tenant, await self.servers.get(tenant, name))
        known = await self.servers.tools(tenant, name)
        for tool in seen(known, name, listed, at=now_text()):
            assert tool.seen is not None
            allowed = approved(tool, Approval(pin=tool.seen.pin, effect_class=effect), by="prn_a", at=now_text())
            await self.servers.approve(tenant, allowed)
        return await self.servers.tools(tenant, name)

    async def call(
        self, tool: str, arguments: dict[str, JsonValue] | None = None, *, version: str = "1.0.0", deadline_s: float = 20.0
    ) -> JsonValue:
        """Find a tool and call it, as an activity does."""
        found = await self.box.find(TENANT, tool, version)
        return await found.call(call_of(tool, arguments, deadline_s=deadline_s))

    async def state(self, tool: str) -> str:
        """Return how a tool stands."""
        return next(each.state for each in await self.servers.tools(TENANT) if each.wire_name == tool)
