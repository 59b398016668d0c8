"""Instructions of registered agents as templates; the only module that imports jinja2. Pure.

The engine's sandbox is not the wall: a template may consist of few constructs only, none of which calls, assigns or imports, and what a
filter may be told is a literal. Loops and filters work on a budget, which ends whatever grows or goes on too long. So rendering always
ends, touches nothing, and gives the same text for the same variables. Activities render, never workflow code. jinja2 is loaded with the
first template: it costs every start else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from pydantic import JsonValue

from domain.errors import InvalidInput

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.runtime import Context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

TEXT_BYTES_MAX: Final = 64 * 1024
"""Longest template, and longest text that one may give (UTF-8)."""
LOOP_DEPTH_MAX: Final = 2
"""How deep loops may stand in each other: their cost is a power of the variables' size."""
STEPS_MAX: Final = 10_000
"""Most rounds of all loops of one rendering together."""
WORK_MAX: Final = 4 * 1024 * 1024
"""Most characters and items that all filters of one rendering read and write together."""
ADDED_MAX: Final = 100
"""Most values that one template puts together with `~`, `+` or as a list: each may be as large as the variables are."""
VARIABLES_BYTES_MAX: Final = 1024 * 1024
"""Largest variables, as the text that Python writes for them."""
NUMBER_MAX: Final = {"tojson": 8, "round": 15}
"""Largest number that these filters may be told; others take up to a prompt's own bound."""
LITERAL_MAX: Final = 100
"""Longest text that a filter may be told."""
FILTERS: Final = frozenset(
    {
        *("default", "d", "first", "float", "int", "items", "join", "last", "length", "count", "list", "lower", "upper", "title"),
        *("capitalize", "trim", "round", "abs", "sort", "unique", "dictsort", "sum", "min", "max", "tojson", "truncate", "wordcount"),
    }
)
"""What may stand behind a `|`."""
_STANDING_IN: Final = frozenset({"default", "d"})
"""What these are told stands in for the value, so it may be anything; they cost nothing."""
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
_BUDGET: Final = "_budget"
"""The variable that holds the budget; templates read no name with a dash before it."""
_ROUNDS: Final = "_rounds"
"""The filter around what each loop goes through; templates name only what `FILTERS` lists."""


@dataclass
class _Budget:
    """What one rendering may still do."""

    steps: int = STEPS_MAX
    work: int = WORK_MAX

    def step(self) -> None:
        """Take one round of a loop.

        Raises:
            InvalidInput: there is none left.
        """
        self.steps -= 1
        if self.steps < 0:
            raise InvalidInput(f"the loops of this prompt go round over {STEPS_MAX} times with these variables")

    def filtered(self, size: int) -> None:
        """Take what a filter reads or writes.

        Raises:
            InvalidInput: there is not so much left.
        """
        self.work -= size
        if self.work < 0:
            raise InvalidInput(f"the filters of this prompt go through over {WORK_MAX} characters with these variables")


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
        InvalidInput: a variable is missing, a value has no such part, or the text, the loops or the filters go over their bounds.
    """
    tree = _checked(text)
    if len(repr(variables).encode(errors="replace")) > VARIABLES_BYTES_MAX:
        raise InvalidInput(f"the variables of a prompt have at most {VARIABLES_BYTES_MAX} bytes together; give an attachment instead")
    from jinja2 import TemplateError  # noqa: PLC0415 - see the module

    parts: list[str] = []
    size = 0
    try:
        for part in _engine().from_string(tree).generate({**variables, _BUDGET: _Budget()}):
            size += len(part.encode())
            if size > TEXT_BYTES_MAX:
                raise InvalidInput(f"the prompt would have over {TEXT_BYTES_MAX} bytes with these variables")
            parts.append(part)
    except (TemplateError, AssertionError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
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
    except (TemplateSyntaxError, RecursionError, ValueError) as error:
        line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
        raise InvalidInput(f"line {line}: {error}") from error
    _check(tree, loops=0)
    _check_added(tree)
    _count_rounds(tree)
    return tree


@cache
def _engine() -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 - see the module
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - see the module

    engine = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    engine.globals.clear()
    plain = ImmutableSandboxedEnvironment()
    charged = {name: _charged(name, plain) for name in FILTERS - _STANDING_IN}
    kept = {name: engine.filters[name] for name in _STANDING_IN}
    vars(engine)["filters"] = {**charged, **kept, _ROUNDS: _rounds()}  # by its name: the engine's type lists its own filters only
    engine.tests = {name: use for name, use in engine.tests.items() if name in TESTS}
    return engine


def _rounds() -> Callable[..., Iterator[object]]:
    from jinja2 import pass_context  # noqa: PLC0415 - see the module

    @pass_context
    def rounds(context: "Context", items: Iterable[object]) -> Iterator[object]:
        for item in items:
            context[_BUDGET].step()
            yield item

    return rounds


def _charged(name: str, plain: "ImmutableSandboxedEnvironment") -> Callable[..., object]:
    """Return a filter of the plain engine that pays for what it reads and writes."""
    from jinja2 import pass_context  # noqa: PLC0415 - see the module

    @pass_context
    def charged(context: "Context", value: object, *given: object, **named: object) -> object:
        budget: _Budget = context[_BUDGET]
        told = sum(_size(part) for part in (*given, *named.values())) if name == "join" else 0
        budget.filtered(_size(value) * (1 + told))
        found = plain.call_filter(name, value, given, named, context=context, eval_ctx=context.eval_ctx)
        budget.filtered(_size(found))
        return found

    return charged


def _size(value: object) -> int:
    return len(value) if isinstance(value, Sized) else 1


def _check_added(tree: "nodes.Template") -> None:
    """Count what is put together.

    Raises:
        InvalidInput: it is too much.
    """
    from jinja2 import nodes  # noqa: PLC0415 - see the module

    together = (nodes.Concat, nodes.Add, nodes.List, nodes.Tuple, nodes.Dict)
    count = sum(len(list(node.iter_child_nodes())) for node in tree.find_all(together))
    if count > ADDED_MAX:
        raise InvalidInput(f"a prompt puts at most {ADDED_MAX} values together with `~`, `+` or in lists, and this one {count}")


def _count_rounds(tree: "nodes.Template") -> None:
    """Let every loop pay for its rounds."""
    from jinja2 import nodes  # noqa: PLC0415 - see the module

    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _ROUNDS, [], [], None, None, lineno=loop.lineno)


def _check_told(node: "nodes.Filter") -> None:
    """Check what a filter is told; what `default` is told only stands in for the value.

    Raises:
        InvalidInput: it is no short literal.
    """
    from jinja2 import nodes  # noqa: PLC0415 - see the module

    if node.name in _STANDING_IN:
        return
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise InvalidInput(f"line {node.lineno}: write what `{node.name}` is told one by one")
    for told in (*node.args, *(pair.value for pair in node.kwargs)):
        value = told.value if isinstance(told, nodes.Const) else told
        most = NUMBER_MAX.get(node.name, TEXT_BYTES_MAX)
        if not (isinstance(value, str) and len(value) <= LITERAL_MAX) and not (isinstance(value, int | float) and 0 <= value <= most):
            raise InvalidInput(
                f"line {node.lineno}: `{node.name}` can be told a text of up to {LITERAL_MAX} characters or a number from 0 to {most}, "
                "written out"
            )


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
    if kind == "Filter":
        _check_told(cast("nodes.Filter", node))
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
