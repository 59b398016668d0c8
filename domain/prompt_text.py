"""Instructions of registered agents as templates; the only module that imports jinja2. Pure.

The engine's sandbox is not the wall: a template may consist of few constructs only, none of which calls, assigns, imports, or grows a text
faster than the template itself. So rendering always ends, touches nothing, and gives the same text for the same variables. Activities
render, never workflow code. jinja2 is loaded with the first template: it costs every start else.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from domain.errors import InvalidInput

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

TEXT_BYTES_MAX: Final = 64 * 1024
"""Longest template, and longest text that one may give (UTF-8)."""
LOOP_DEPTH_MAX: Final = 2
"""How deep loops may stand in each other: their cost is a power of the variables' size."""
FILTERS: Final = frozenset(
    {
        *("default", "d", "first", "float", "int", "items", "join", "last", "length", "count", "list", "lower", "upper", "title"),
        *("capitalize", "trim", "round", "abs", "sort", "unique", "dictsort", "sum", "min", "max", "tojson", "truncate", "wordcount"),
    }
)
"""What may stand behind a `|`."""
TESTS: Final = frozenset(
    {"defined", "undefined", "none", "string", "number", "integer", "boolean", "mapping", "sequence", "iterable", "true", "false", "in"}
)
"""What may stand behind an `is`."""
_NODES: Final = frozenset(
    {
        *("Template", "Output", "TemplateData", "For", "If", "CondExpr", "Name", "Const", "Getattr", "Getitem", "Filter", "Test"),
        *("Compare", "Operand", "And", "Or", "Not", "Concat", "Add", "Sub", "Neg", "Pos", "List", "Tuple", "Dict", "Pair", "Keyword"),
    }
)
_SAID: Final = {
    "Call": "a call",
    "Assign": "`set`",
    "Macro": "`macro`",
    "Include": "`include`",
    "Import": "`import`",
    "Extends": "`extends`",
}


def check_template(text: str) -> None:
    """Refuse a template that cannot be rendered, or not safely.

    Raises:
        InvalidInput: its syntax is wrong, or it uses what no prompt may; the message has the line.
    """
    _checked(text)


def variables_of(text: str) -> list[str]:
    """Return the names of the variables that a template reads, sorted.

    Raises:
        InvalidInput: it is no template.
    """
    tree = _checked(text)
    from jinja2.meta import find_undeclared_variables  # noqa: PLC0415 - see the module

    return sorted(find_undeclared_variables(tree))


def render_prompt(text: str, variables: Mapping[str, JsonValue]) -> str:
    """Return the text of a checked template.

    Raises:
        InvalidInput: a variable is missing, a value has no such part, or the text grows over its bound.
    """
    tree = _checked(text)
    from jinja2 import TemplateError  # noqa: PLC0415 - see the module

    parts: list[str] = []
    size = 0
    try:
        for part in _engine().from_string(tree).generate(dict(variables)):
            size += len(part.encode())
            if size > TEXT_BYTES_MAX:
                raise InvalidInput(f"the prompt would have over {TEXT_BYTES_MAX} bytes with these variables")
            parts.append(part)
    except (TemplateError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InvalidInput(f"the prompt cannot be rendered: {error}") from error
    return "".join(parts)


def _checked(text: str) -> "nodes.Template":
    """Return a template as it was read.

    Raises:
        InvalidInput: as `check_template` says.
    """
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise InvalidInput(f"a prompt has at most {TEXT_BYTES_MAX} bytes, and this one {len(text.encode())}")
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415 - see the module

    try:
        tree = _engine().parse(text)
    except (TemplateSyntaxError, RecursionError) as error:
        line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
        raise InvalidInput(f"line {line}: {error}") from error
    _check(tree, loops=0)
    return tree


@cache
def _engine() -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 - see the module
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - see the module

    engine = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    engine.globals.clear()
    engine.filters = {name: use for name, use in engine.filters.items() if name in FILTERS}
    engine.tests = {name: use for name, use in engine.tests.items() if name in TESTS}
    return engine


def _check(node: "nodes.Node", *, loops: int) -> None:
    """Walk a template.

    Raises:
        InvalidInput: something in it is not allowed.
    """
    kind = type(node).__name__
    if kind not in _NODES:
        raise InvalidInput(f"line {node.lineno}: a prompt cannot use {_SAID.get(kind, kind)}; it reads variables, with `if` and `for`")
    name = getattr(node, "name", getattr(node, "attr", ""))
    if kind == "Filter" and name not in FILTERS:
        raise InvalidInput(f"line {node.lineno}: there is no filter `{name}` for prompts; there are {', '.join(sorted(FILTERS))}")
    if kind == "Test" and name not in TESTS:
        raise InvalidInput(f"line {node.lineno}: there is no test `{name}` for prompts; there are {', '.join(sorted(TESTS))}")
    if kind in ("Name", "Getattr") and str(name).startswith("_"):
        raise InvalidInput(f"line {node.lineno}: `{name}` cannot be read")
    if kind == "For":
        loops += 1
        if getattr(node, "recursive", False) or loops > LOOP_DEPTH_MAX:
            raise InvalidInput(f"line {node.lineno}: loops stand at most {LOOP_DEPTH_MAX} deep, and never call themselves")
    for inner in node.iter_child_nodes():
        _check(inner, loops=loops)
