"""What reading a definition gives: mistakes with their place in the document, expression spots, and the parsed definition. Pure.

Places are paths of keys and indexes in the plain document; the adapter that read the text turns them into lines and columns.
"""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from domain.budget import BudgetRule
from domain.program import Execution, Step
from domain.tasks import TaskTerms

DocPath = tuple[str | int, ...]
Use = Literal["condition", "template", "output_as", "compensation", "model", "result", "subject"]


@dataclass(frozen=True)
class Mistake:
    """One mistake. `on_key` points at the key instead of its value.

    Inside a string, `hole` is the index of the `${ }` and `inner` the line and column within its expression, from 1.
    """

    path: DocPath
    message: str
    instead: str = ""
    on_key: bool = False
    hole: int | None = None
    inner: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Spot:
    """A template somewhere in the definition; `owner` is the path of its step, `` for the definition's own `output`."""

    path: DocPath
    owner: str
    use: Use
    template: JsonValue


@dataclass(frozen=True)
class ToolUse:
    """A tool named somewhere, with the range of versions it may have (`` = any)."""

    path: DocPath
    name: str
    range: str


@dataclass(frozen=True)
class AgentUse:
    """A registered agent named by the step `step`, with what it says for the variables of its instructions."""

    path: DocPath
    step: str
    reference: str


@dataclass
class ParsedDefinition:
    """A definition as its grammar says.

    `order` lists step paths in the order they stand, `places` says where each stands, `cases` in which case of its switch.
    """

    name: str = ""
    version: str = ""
    input_schema: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    config_schema: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    config_defaults: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    steps: list[Step] = field(default_factory=list[Step])
    output: JsonValue = None
    subject: str | None = None
    doubts: TaskTerms | None = None
    execution: Execution | None = None
    budget: BudgetRule | None = None
    order: list[str] = field(default_factory=list[str])
    places: dict[str, DocPath] = field(default_factory=dict[str, DocPath])
    cases: dict[str, str] = field(default_factory=dict[str, str])
    spots: list[Spot] = field(default_factory=list[Spot])
    tools: list[ToolUse] = field(default_factory=list[ToolUse])
    agents: list[AgentUse] = field(default_factory=list[AgentUse])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
