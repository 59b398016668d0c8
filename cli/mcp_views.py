"""What people see of MCP servers, their tools, and references of secrets. Pure: nothing is written here."""

import json

from cli.views import Fields, moment
from standfast_client import McpServer, McpTool, SecretReference

SERVER_COLUMNS = ("SERVER", "TRANSPORT", "WHERE", "REVISION", "CHECKED", "PROBLEM")
TOOL_COLUMNS = ("TOOL", "STATE", "EFFECT", "VERSION", "WHY")
SECRET_COLUMNS = ("SECRET", "ENVIRONMENT", "REFERENCE", "SET", "BY")


def server_row(server: McpServer) -> tuple[str, ...]:
    """Return a row of the list."""
    where = server.url or " ".join(server.command)
    return server.name, server.transport, where, str(server.revision), moment(server.checked_at), server.problem or ""


def server_fields(server: McpServer) -> Fields:
    """Return everything about a server but its tools; secrets by name only."""
    return [
        ("server", server.name),
        ("transport", server.transport),
        ("url", server.url),
        ("command", " ".join(server.command) or None),
        ("files", " ".join(f"{name} ({size} bytes)" for name, size in server.files.items()) or None),
        ("sandbox", server.sandbox if server.transport == "stdio" else None),
        ("secrets", " ".join(f"{at}={name}" for at, name in {**server.environment, **server.headers}.items()) or None),
        ("authorized", ("yes" if server.authorized else "no") if server.oauth is not None else None),
        ("revision", str(server.revision)),
        ("checked", moment(server.checked_at)),
        ("problem", server.problem),
        ("registered", f"{moment(server.created_at)} by {server.created_by}"),
    ]


def tool_row(tool: McpTool) -> tuple[str, ...]:
    """Return a row of a server's tools."""
    approved = tool.approved
    effect, version = ("", "") if approved is None else (approved.effect_class, approved.version)
    return tool.name, tool.state, effect, version, tool.reason or tool.changed or ("; ".join(tool.hidden))


def tool_text(tool: McpTool) -> list[str]:
    """Return what a person must read before approving, one line each; whoever writes it cleans it."""
    told = [("name on the server", tool.tool), ("description", tool.description or ""), ("pin", tool.pin or "not listed now")]
    told += [(name, json.dumps(value)) for name, value in (("input", tool.input_schema), ("output", tool.output_schema)) if value]
    told += [("hints of the server", json.dumps(tool.annotations))] if tool.annotations else []
    told += [("hidden characters", "; ".join(tool.hidden))] if tool.hidden else []
    told += [("changed since its approval", tool.changed)] if tool.changed else []
    return [f"{label}: {text}" for label, text in told]


def secret_row(secret: SecretReference) -> tuple[str, ...]:
    """Return a row of the list."""
    return secret.name, secret.environment, secret.reference, moment(secret.set_at), secret.set_by
