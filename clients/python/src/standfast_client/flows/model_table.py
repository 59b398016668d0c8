"""Aliases and capabilities of models."""

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, delete, get, parse, plain, put
from standfast_client.model_table import ModelAlias, ModelCapabilities
from standfast_client.models import JsonInput, Received


class _Aliases(Received):
    items: list[ModelAlias]


def aliases(link: Link) -> Flow[list[ModelAlias]]:
    """Read every alias, by name."""
    return parse((yield from link.ask(get("/models/aliases"))), _Aliases).items


def set_alias(link: Link, alias: str, model: str, fallbacks: Sequence[JsonInput], *, idempotency_key: str | None) -> Flow[ModelAlias]:
    """Set what a word stands for."""
    body: dict[str, JsonValue] = {"model": model, "fallbacks": [plain(one) for one in fallbacks]}
    return parse((yield from link.ask(put(_path(alias), body, idempotency_key=idempotency_key))), ModelAlias)


def remove_alias(link: Link, alias: str, *, idempotency_key: str | None) -> Flow[None]:
    """Take a word away."""
    yield from link.ask(delete(_path(alias), idempotency_key=idempotency_key))


def capabilities(link: Link, model: str) -> Flow[ModelCapabilities]:
    """Read what a model can do."""
    return parse((yield from link.ask(get("/models/capabilities", model=model))), ModelCapabilities)


def _path(alias: str) -> str:
    return f"/models/aliases/{quote(alias, safe='')}"
