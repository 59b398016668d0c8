"""Small bundles and tools for tests of definitions."""

from pydantic import JsonValue

from adapters.definitions.yaml_reader import YamlBundleReader
from domain.effects import EffectClass
from domain.registry import DefinitionDraft, Problem
from domain.tools import ToolSpec

HEAD = """\
standfast: 1
name: refund
version: 1.0.0
input: {schema: {type: object, properties: {order: {type: string}, amount: {type: integer}, parts: {type: array, items: {type: string}}}}}
config: {schema: {type: object, properties: {model: {type: string}, limit: {type: integer}}}, defaults: {model: scripted/refund, limit: 5}}
do:
"""
HEAD_LINES = HEAD.count("\n")


def _tool(
    name: str, effect_class: EffectClass, *, version: str = "1.0.0", bindable: tuple[str, ...] = (), **schemas: dict[str, JsonValue]
) -> ToolSpec:
    return ToolSpec(
        name=name,
        version=version,
        description=name,
        input_schema=schemas.get("takes", {"type": "object"}),
        output_schema=schemas.get("gives", {}),
        effect_class=effect_class,
        bindable=bindable,
    )


TOOLS = [
    _tool(
        "orders.find", EffectClass.READ, gives={"type": "object", "properties": {"total": {"type": "integer"}, "owner": {"type": "string"}}}
    ),
    _tool("orders.find", EffectClass.READ, version="1.4.0", gives={"type": "object", "properties": {"total": {"type": "integer"}}}),
    _tool("orders.find", EffectClass.READ, version="2.0.0"),
    _tool(
        "bank.pay",
        EffectClass.MONEY,
        bindable=("purpose",),
        takes={
            "type": "object",
            "required": ["amount"],
            "additionalProperties": False,
            "properties": {
                "amount": {"type": "integer"},
                "recipient": {"type": "string"},
                "purpose": {"type": "string"},
                "note": {"type": "string"},
            },
        },
        gives={"type": "object", "properties": {"payment": {"type": "string"}}},
    ),
    _tool("bank.refund", EffectClass.MONEY),
    _tool("mail.send", EffectClass.WRITE),
]


def bundle(do: str, *, tail: str = "") -> dict[str, str]:
    """Return a bundle whose steps are the YAML list `do`, flush left, and `tail` what follows them."""
    return {"refund.yaml": HEAD + do + tail}


def problems_of(files: dict[str, str]) -> list[Problem]:
    """Return the problems of a bundle."""
    return YamlBundleReader().read(files, tools=TOOLS)[1]


def messages_of(do: str, *, tail: str = "") -> list[str]:
    """Return the problems of steps as lines, with the line counted from the first line of `do`."""
    found = problems_of(bundle(do, tail=tail))
    return [f"{problem.line - HEAD_LINES}:{problem.column}: {problem.message} → {problem.instead}" for problem in found]


def draft_of(files: dict[str, str]) -> DefinitionDraft:
    """Return the one draft of a bundle without problems."""
    drafts, problems = YamlBundleReader().read(files, tools=TOOLS)
    assert problems == []
    (draft,) = drafts
    return draft
