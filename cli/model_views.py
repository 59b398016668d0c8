"""What people see of models: rows and fields. Pure."""

from pydantic import JsonValue

from cli.views import Fields, moment
from standfast_client.model_table import ModelAlias, ModelCapabilities

ALIAS_COLUMNS = ("ALIAS", "MODEL", "FALLBACKS", "SET BY", "AT")


def fallback(text: str) -> JsonValue:
    """Return a fallback from `MODEL` or `MODEL=reason,reason`."""
    model, _, reasons = text.partition("=")
    return {"model": model, "on": [*reasons.split(",")]} if reasons else {"model": model}


def chain_text(alias: ModelAlias) -> str:
    """Return the chain behind a model in one line."""
    return "; ".join(f"{one.model} on {', '.join(one.on)}" for one in alias.fallbacks) or "-"


def alias_row(alias: ModelAlias) -> tuple[str, ...]:
    """Return the row of an alias."""
    return (alias.alias, alias.model, chain_text(alias), alias.set_by or alias.source, moment(alias.set_at) or "-")


def alias_fields(alias: ModelAlias) -> Fields:
    """Return all of an alias."""
    return [("alias", alias.alias), ("model", alias.model), ("fallbacks", chain_text(alias)), ("set", f"by {alias.set_by or alias.source}")]


def capability_fields(known: ModelCapabilities) -> Fields:
    """Return what a model can do."""
    words = {True: "yes", False: "no"}
    able = [(name.replace("_", " "), words[getattr(known, name)]) for name in
            ("tools", "parallel_tools", "json_schema", "temperature", "images", "files")]  # fmt: skip
    sizes = [(name.replace("_", " "), str(getattr(known, name) or "not known")) for name in ("context_tokens", "output_tokens")]
    return [("model", known.model), *able, *sizes]
