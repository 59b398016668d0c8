"""What the gateway answers about calendars, substitutes, and what is behind an approval. Times are RFC 3339 UTC."""

from pydantic import Field, JsonValue

from standfast_client.models import Approval, Received, Usage


class Calendar(Received):
    """One version of a working-hours calendar: weekday (`mon` …) → spans of `{from, to}`, wall clock in `zone`; `holidays` have none."""

    name: str
    version: int
    zone: str
    hours: dict[str, list[dict[str, str]]]
    holidays: list[dict[str, str]] = []
    created_by: str = ""
    created_at: str = ""
    retired_at: str | None = None


class Instants(Received):
    """Working time as instants; `calendar` (`name@version`) and `edition` of the time zones say what they were computed from."""

    calendar: str
    edition: str
    instants: list[str]


class Substitution(Received):
    """`substitute` decides in the place of `reviewer` from `since` until `until`; `roles` empty means all of the reviewer's."""

    substitution: str
    reviewer: str
    substitute: str
    roles: list[str] = []
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    set_by: str = ""
    created_at: str = ""
    ended_by: str | None = None
    ended_at: str | None = None


class Message(Received):
    """A message of the conversation behind an approval; `cut` says that its text goes on. `tools` are the calls a model asked for."""

    role: str
    text: str
    cut: bool = False
    tools: list[str] = []


class Origin(Received):
    """One source of a value: literal, input, config, model, tool, person, signal or step."""

    source: str
    step: str | None = None
    path: str = ""


class ArgumentOrigin(Received):
    """Where one argument of a bound call comes from; `computed` says that it is more than a copy of one value.

    `labels` are the sources that may have shaped it, such as `tool:untrusted`, as far as the run knew when the question was asked.
    """

    step: str
    argument: str
    origins: list[Origin]
    computed: bool = False
    labels: list[str] = []


class PastDecision(Received):
    """How an approval of the same definition and tool ended."""

    approval: str
    run: str
    title: str
    state: str
    decided_by: str | None = None
    decided_at: str | None = None
    comment: str | None = None


class ApprovalDetail(Approval):
    """One approval with what is behind it: where values come from, the run's cost so far, the last messages, the last decisions alike.

    `whole` are the arguments of a call that `calls` shows cut.
    """

    nonce: str = ""
    whole: dict[str, JsonValue] | None = None
    provenance: list[ArgumentOrigin] = []
    usage: Usage = Usage()
    conversation: str | None = None
    messages: list[Message] = []
    alike: list[PastDecision] = []
