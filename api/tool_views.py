"""JSON shapes and query parameters of the tool registry."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from api.queries import Cursor, Limit
from domain.ids import parse_id
from domain.model import Value
from domain.tool_access import Subject, ToolPattern
from domain.tool_audit import CallVerdict
from domain.tool_registry import Reason, RegisteredTool, ToolChange, ToolState
from domain.tools import ToolSpec

DOCUMENT_CHARS_MAX = 1024 * 1024

ToolName = Annotated[str, Path(max_length=200, pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
ToolVersion = Annotated[str, Path(max_length=40, pattern=r"^\d+\.\d+\.\d+$")]


class ToolView(ToolSpec):
    """A version of a tool. `source` says whether workers bring it along or it was registered; `changes` are latest first."""

    source: str
    state: ToolState
    sha256: str | None = None
    registered_at: str | None = None
    registered_by: str | None = None
    declaration: dict[str, JsonValue] | None = None
    changes: tuple[ToolChange, ...] = ()


class ToolList(Value):
    """The tools a definition may name; retired ones too where they were asked for."""

    items: tuple[ToolView, ...]


class ToolBody(Value):
    """Declarations to register, all or none: each what a bundle's file under `tools/` holds, or files of such (path → YAML or JSON)."""

    tools: Annotated[list[dict[str, JsonValue]], Field(max_length=500)] = []
    files: Annotated[dict[str, str], Field(max_length=500)] = {}


class ToolsRegistered(Value):
    """What was registered; a version that was there before with the same content is listed too."""

    tools: tuple[ToolView, ...]


class OpenApiBody(Value):
    """An OpenAPI document, as text in YAML or JSON. With `dry_run` nothing is stored; `check_answers` holds answers to their schemas.

    `base_url` stands for the document's server, `prefix` before each tool's name.
    """

    document: Annotated[str, StringConstraints(min_length=1, max_length=DOCUMENT_CHARS_MAX)]
    base_url: Annotated[str, StringConstraints(max_length=500)] | None = None
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=40)] | None = None
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$", max_length=40)] = "1.0.0"
    check_answers: bool = False
    dry_run: bool = False


class SkippedView(Value):
    """An operation that no tool was made of."""

    operation: str
    reason: str


class OpenApiImported(Value):
    """The tools of a document, and what was left out."""

    tools: tuple[ToolView, ...]
    skipped: tuple[SkippedView, ...]


class ReasonBody(Value):
    """Why."""

    reason: Reason


class GrantBody(Value):
    """Who may call which tools; whoever is not among its agents and roles may not, unless another grant says so."""

    tools: Annotated[list[ToolPattern], Field(min_length=1, max_length=50)]
    agents: Annotated[list[Subject], Field(max_length=50)] = ["*"]
    roles: Annotated[list[Subject], Field(max_length=50)] = ["*"]
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class ToolListQuery(Value):
    """`all` shows retired versions too."""

    all: bool = False


class ToolQuery(Value):
    """`version` is a version or an npm range; the highest that fits is shown."""

    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class CallListQuery(Value):
    """Filters of the audit of tool calls."""

    tool: Annotated[str, Field(max_length=200)] | None = None
    run: Annotated[str, Field(max_length=40)] | None = None
    agent: Annotated[str, Field(max_length=200)] | None = None
    principal: Annotated[str, Field(max_length=100)] | None = None
    verdict: CallVerdict | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class AnomalyListQuery(Value):
    """Filters of what the watch over calls found."""

    tool: Annotated[str, Field(max_length=200)] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


def _grant_id(grant_id: Annotated[str, Path(description="tgr_ and 26 characters")]) -> str:
    return parse_id(grant_id, "tgr")


GrantIdInPath = Annotated[str, Depends(_grant_id)]
ToolsWanted = Annotated[ToolListQuery, Query()]
ToolWanted = Annotated[ToolQuery, Query()]
CallsWanted = Annotated[CallListQuery, Query()]
AnomaliesWanted = Annotated[AnomalyListQuery, Query()]


def tool_view(tool: RegisteredTool, *, whole: bool = False) -> ToolView:
    """Return a tool as it is shown; lists leave declarations out."""
    kept = tool.model_dump(include={"source", "state", "sha256", "registered_at", "registered_by"})
    more = {"declaration": tool.declaration, "changes": tool.changes} if whole else {}
    return ToolView.model_validate({**tool.spec.model_dump(), **kept, **more})
