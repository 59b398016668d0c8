"""MCP servers of a process: their tools, their sandboxes, their tokens."""

import time
from dataclasses import dataclass

from temporalio import activity

from adapters.mcp.authorizer import McpAuthorizer
from adapters.mcp.toolbox import McpToolbox
from adapters.sandboxes.interactive import BubblewrapSessions
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from domain.tools import ToolCall
from wiring.keys import clock_text
from wiring.outbound import build_outbound, sandbox_addresses
from wiring.secrets import SecretDesk
from wiring.settings import Environment, McpSettings
from wiring.settings_sandboxes import SandboxSettings
from wiring.storage import Storage


@dataclass(frozen=True)
class McpParts:
    """What speaks to MCP servers."""

    tools: McpToolbox
    authorizer: McpAuthorizer


def build_mcp(storage: Storage, *, secrets: SecretDesk, environment: Environment) -> McpParts:
    """Return the parts; nothing is started or loaded before a server is spoken to."""
    outbound, sandboxes = build_outbound(environment), SandboxSettings()
    authorizer = McpAuthorizer(
        clients=outbound, tokens=storage.mcp_tokens, secret=secrets.resolve, now_s=time.time, allow_plain=environment != "production"
    )
    tools = McpToolbox(
        servers=storage.mcp_servers,
        sessions=BubblewrapSessions(folder=McpSettings().folder, cgroup=sandboxes.cgroup, addresses=sandbox_addresses(outbound)),
        profiles={**DEFAULT_PROFILES, **sandboxes.profiles},
        clients=outbound,
        authorizer=authorizer,
        secret=secrets.resolve,
        clock=clock_text,
        heartbeat=beat,
        known=secrets.known,
    )
    return McpParts(tools, authorizer)


def beat(call: ToolCall, done: float, total: float | None) -> None:
    """Tell Temporal that a call goes on; outside of an activity nobody listens."""
    if activity.in_activity():
        activity.heartbeat({"tool": call.tool, "done": done, "total": total})
