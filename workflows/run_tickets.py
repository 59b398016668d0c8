"""Whose run a hand-written workflow is, and what such a run takes along when its history gets long. Types only."""

from pydantic import Field, JsonValue

from domain.labels import Label
from domain.model import Wire
from domain.pinned_agents import PinnedAgent
from domain.program import PinnedTool


class CarriedRun(Wire):
    """What an execution hands to the next one of the same run: its state, and what was pinned when the run began; `called` are tools."""

    state: dict[str, JsonValue]
    tools: dict[str, PinnedTool] = {}
    agents: dict[str, PinnedAgent] = {}
    called: list[str] = []
    sha256: str = ""


class RunTicket(Wire):
    """Whose run a hand-written workflow is; pass it to the workflow as its first argument. `run` is the workflow's id.

    `epoch` and `carried` are set where a run goes on in a new execution; `history_max` is the number of events after which it does so,
    None for the default. `labels` say where the workflow's arguments come from, beside its principal.
    """

    tenant: str
    run: str
    principal: str
    correlation_id: str = ""
    epoch: int = Field(default=1, exclude_if=lambda epoch: epoch == 1)
    carried: CarriedRun | None = Field(default=None, exclude_if=lambda carried: carried is None)
    history_max: int | None = Field(default=None, exclude_if=lambda most: most is None)
    labels: list[Label] = Field(default=[], exclude_if=lambda labels: not labels)
