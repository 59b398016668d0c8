"""What people see of tools, grants and calls: rows and fields. Pure: nothing is written here."""

import json

from cli.views import Fields, dollars, moment
from standfast_client import Tool, ToolAnomaly, ToolCall, ToolGrant

TOOL_COLUMNS = ("TOOL", "VERSION", "KIND", "EFFECT", "RETRY", "STATE", "SOURCE")
GRANT_COLUMNS = ("GRANT", "TOOLS", "AGENTS", "ROLES", "GRANTED", "BY", "TAKEN BACK")
CALL_COLUMNS = ("WHEN", "TOOL", "AGENT", "PRINCIPAL", "VERDICT", "RUN", "ENTRY", "COST", "SITES")
ANOMALY_COLUMNS = ("FOUND", "KIND", "TOOL", "WHAT", "RUN", "ENTRY", "QUARANTINED")


def tool_row(tool: Tool) -> tuple[str, ...]:
    """Return a row of the list of tools."""
    return (tool.name, tool.version, tool.kind, tool.effect_class, tool.retry_class, tool.state, tool.source)


def tool_fields(tool: Tool) -> Fields:
    """Return all of a version."""
    return [
        ("tool", f"{tool.name} {tool.version}"),
        ("description", tool.description),
        ("kind", f"{tool.kind}, {tool.source}"),
        ("state", tool.state),
        ("classes", f"{tool.effect_class}, {tool.retry_class}; its results are {tool.trust}"),
        ("arguments", json.dumps(tool.input_schema)),
        ("answers", json.dumps(tool.output_schema) if tool.output_schema else None),
        ("hosts", ", ".join(tool.egress) or None),
        ("secrets", ", ".join(tool.secrets) or None),
        ("addresses in", ", ".join(tool.url_arguments) or None),
        ("sensitive", ", ".join(tool.sensitive_arguments) or None),
        ("cost of a call", dollars(tool.cost_usd_micros) if tool.cost_usd_micros else None),
        ("timeout", f"{tool.timeout_s:g} s"),
        ("docs", tool.docs or None),
        ("registered", f"{moment(tool.registered_at)} by {tool.registered_by}" if tool.registered_at else None),
        ("sha256", tool.sha256),
        *((f"{moment(each.at)}", f"{each.state} by {each.by}: {each.reason}") for each in tool.changes),
    ]


def grant_row(grant: ToolGrant) -> tuple[str, ...]:
    """Return a row of the list of grants."""
    who = (", ".join(grant.tools), ", ".join(grant.agents) or "nobody", ", ".join(grant.roles) or "nobody")
    return (grant.grant, *who, moment(grant.granted_at) or "", grant.granted_by, moment(grant.revoked_at) or "")


def call_row(call: ToolCall) -> tuple[str, ...]:
    """Return a row of the audit."""
    verdict = call.verdict if call.code is None else f"{call.verdict} ({call.code})"
    told = (moment(call.at) or "", f"{call.tool} {call.version}", call.agent or "", call.principal, verdict)
    return (*told, call.run, str(call.seq), dollars(call.cost_usd_micros), ", ".join(call.form.hosts))


def anomaly_row(found: ToolAnomaly) -> tuple[str, ...]:
    """Return a row of what the watch found."""
    told = (moment(found.found_at) or "", found.kind, f"{found.tool} {found.version}", found.detail)
    return (*told, found.run, str(found.seq), "yes" if found.quarantined else "no")
