"""What the ledger entry of a tool call says for the audit (`domain/tool_audit.py`)."""

from pydantic import JsonValue

from activities.requests import ToolRequest
from domain.tool_audit import form_of, host_of


def told_of(request: ToolRequest, arguments: JsonValue) -> dict[str, JsonValue]:
    """Return what a call's entry says for the audit: which agent asked, and the form of the arguments (never they themselves)."""
    host = host_of(str((request.declaration or {}).get("url", "")))
    form: JsonValue = form_of(arguments, hosts=(host,) if host else ()).model_dump(mode="json")
    if request.agent is None:
        return {"form": form}
    registered = request.policy.registered if request.policy is not None else None
    return {"agent": request.agent, **({} if registered is None else {"registered": registered}), "form": form}
