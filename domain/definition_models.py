"""Whether each model of an agent step's chain is one, and can do what the step asks. Pure; the grammar is `definition_model_grammar`."""

from collections.abc import Iterator
from typing import cast

from domain.capabilities import Wanted, lacks
from domain.definition_parts import DocPath, Mistake, ParsedDefinition, Spot
from domain.definition_scope import OutOfScope, Scope
from domain.errors import ExpressionFailed
from domain.expressions import chains, references
from domain.model_table import ALIAS, DEFAULT, ModelTable
from domain.program import AgentStep
from domain.schema_fields import MissingField, Schema, field_schema


def check_models(step: AgentStep, path: DocPath, parsed: ParsedDefinition, scope: Scope, table: ModelTable) -> list[Mistake]:
    """Return what is wrong with the models of an agent step; `path` is where its `agent` stands."""
    mistakes = [*_check_attachments(step, path, scope), *_check_price(step, path)]
    for name, at in _named(step, path, parsed):
        mistakes.extend(_check_named(name, at, step, path, scope=scope, table=table))
    return mistakes


def check_manifest_models(step: AgentStep, path: DocPath, table: ModelTable) -> list[Mistake]:
    """Return what is wrong with the models of a registered agent's own file; `path` is where its `agent` stands."""
    mistakes = _check_price(step, path)
    for name, at in _named(step, path, ParsedDefinition()):
        mistakes.extend(_check_named(name, at, step, path, scope=None, table=table))
    return mistakes


def _named(step: AgentStep, path: DocPath, parsed: ParsedDefinition) -> Iterator[tuple[str, DocPath]]:
    """Give each model of the chain as it is known before a run starts, and where it is named: its text, or a default of the config."""
    texts = [(step.model, (*path, "model")), *((one.model, (*path, "fallback", i)) for i, one in enumerate(step.fallbacks))]
    if step.pin:  # a registered agent names its models in its own file
        texts = [(text, (*path, "uses")) for text, _ in texts]
    for text, at in texts:
        try:
            reads = references(text)
        except ExpressionFailed:
            continue
        if not reads:
            yield text, at
        defaults = [parsed.config_defaults.get(dotted) for root, dotted in reads if root == "config" and text.startswith("${")]
        for (_, dotted), default in zip(reads, defaults, strict=False):
            if isinstance(default, str):
                yield default, ("config", "defaults", dotted)


def _check_named(name: str, at: DocPath, step: AgentStep, path: DocPath, *, scope: Scope | None, table: ModelTable) -> list[Mistake]:
    if not name:
        return []
    meant = table.resolve(name)
    if meant is None:
        at = at if at[-1] != "model" or name != DEFAULT else path
        return [] if ALIAS.fullmatch(name) and not table.complete else [_unknown(name, at, table)]
    wanted = wanted_of(step, scope)
    mistakes: list[Mistake] = []
    for model in (meant.model, *(one.model for one in meant.fallbacks)):
        for option, sentence in lacks(model, table.able(model), wanted):
            # A registered agent says its options in its own file, but for what its step shows it; an alias at its own place.
            where = (*path, option) if not step.pin or option == "attachments" else (*path, "uses")
            meaning = "" if model == name else f", and `{name}` stands for it"
            mistakes.append(Mistake(where, sentence + meaning, f"a model that does, or leave `{option}` out", on_key=True))
    return mistakes


def _unknown(name: str, at: DocPath, table: ModelTable) -> Mistake:
    if ALIAS.fullmatch(name):
        what = "no model: an agent names one, or there is an alias `default`" if name == DEFAULT else "no alias that is set"
        return Mistake(at, f"`{name}` is {what}", table.instead(name))
    return Mistake(at, f"`{name}` is no model: write provider/name", "anthropic/… or ${ config.model }")


def wanted_of(step: AgentStep, scope: Scope | None = None) -> Wanted:
    """Return what a step asks of every model of its chain."""
    kinds = {kind for source in step.attachments for kind in _kinds(source, scope)}
    return Wanted(
        tools=bool(step.tools),
        parallel_tools=step.parallel_tools,
        json_schema=step.output_schema is not None,
        temperature=step.temperature is not None,
        images="image" in kinds,
        files="file" in kinds,
        output_tokens=step.max_output_tokens,
    )


def _kinds(source: str, scope: Scope | None) -> set[str]:
    """Return `image` or `file` where a schema says what lies there (`contentMediaType` of its `data`), `image` where none does."""
    media = None
    if scope is not None and source.startswith("input."):
        media = _media_type(scope.input_schema, tuple(source.split(".")[1:]))
    return {"image" if media is None or media.startswith("image/") else "file"}


def _media_type(schema: Schema, path: tuple[str, ...]) -> str | None:
    try:
        found = field_schema(schema, path)
        items = found.get("items")
        data = field_schema(cast("Schema", items) if isinstance(items, dict) else found, ("data",))
    except MissingField:
        return None
    media = data.get("contentMediaType")
    return media if isinstance(media, str) else None


def _check_attachments(step: AgentStep, path: DocPath, scope: Scope) -> list[Mistake]:
    mistakes: list[Mistake] = []
    for index, source in enumerate(step.attachments):
        at = (*path, "attachments", index)
        spot = Spot(path=at, owner=step.path, use="template", template=source)
        try:
            for reference in chains(source):
                scope.type_of(reference, spot)
        except (OutOfScope, ExpressionFailed) as error:
            mistakes.append(Mistake(at, f"`{source}`: {error}"))
    return mistakes


def _check_price(step: AgentStep, path: DocPath) -> list[Mistake]:
    on_price = [index for index, one in enumerate(step.fallbacks) if "price" in one.on]
    if on_price and step.max_call_usd_micros is None:
        where = (*path, "fallback", on_price[0])
        message = "a model takes over on price when another is dearer than `max_call_usd`, which is missing"
        return [Mistake(where, message, 'max_call_usd: "0.05"')]
    return []
