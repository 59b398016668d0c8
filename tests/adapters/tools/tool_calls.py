"""Builders: a tool call, and a declaration of an HTTP tool on a local server."""

from pydantic import JsonValue

from domain.http_tool import HttpToolDeclaration
from domain.tools import ToolCall


async def no_secret(_tenant: str, name: str) -> str:
    """Know no secret."""
    raise KeyError(name)


def tool_call(arguments: dict[str, JsonValue] | None = None, *, tool: str = "bank.pay", deadline_s: float = 10.0) -> ToolCall:
    """Return a call of the first run of the tenant acme."""
    return ToolCall(
        tool=tool,
        version="1.0.0",
        arguments=arguments or {},
        idempotency_key="k" * 64,
        correlation_id="correlation-1",
        tenant="acme",
        run="run-1",
        deadline_s=deadline_s,
    )


def declaration(**changes: object) -> HttpToolDeclaration:
    """Return `bank.pay`, a POST that moves money, with some fields changed."""
    fields: dict[str, object] = {
        "name": "bank.pay",
        "description": "Pays a claim.",
        "method": "POST",
        "url": "http://127.0.0.1:9/claims/{claim_id}/payments",
        "input": {
            "type": "object",
            "properties": {"claim_id": {"type": "string"}, "amount": {"type": "string"}},
            "required": ["claim_id", "amount"],
        },
        "effect_class": "money",
    }
    return HttpToolDeclaration.model_validate({**fields, **changes})
