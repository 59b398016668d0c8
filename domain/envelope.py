"""The one class pair every activity takes and returns (DESIGN §15). Pure."""

from typing import Self

from pydantic import Field, JsonValue

from domain.budget import Cap
from domain.facts import Fact
from domain.model import Wire


class Usage(Wire):
    """What one effect used. Money in integer micro-USD, time in milliseconds."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    duration_ms: int = 0
    model: str | None = None
    cached_input_tokens: int = Field(default=0, exclude_if=lambda count: not count)

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum; the model of the later one wins."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd_micros=self.cost_usd_micros + other.cost_usd_micros,
            duration_ms=self.duration_ms + other.duration_ms,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            model=other.model or self.model,
        )


class Envelope(Wire):
    """An activity's input: who, where in the run, the facts that ride along, and the request (plain JSON).

    `caps` are the definition's budgets that the effect counts against, `forced` says that they cannot refuse it (an undo), and `priced_at`
    (RFC 3339) is when the run's prices were fixed.
    """

    v: int = 1
    tenant: str
    run: str
    epoch: int
    step: str = ""
    visit: int = 1
    call: str = ""
    correlation_id: str
    principal: str
    deadline_s: float
    facts: list[Fact] = []
    request: dict[str, JsonValue] = {}
    caps: list[Cap] = []
    forced: bool = False
    priced_at: str = ""
    project: list[str] = Field(default=[], description="output fields that expressions read, as dotted paths; '' is the whole")

    def without_facts(self) -> Self:
        """Return a copy that carries no facts."""
        return self.model_copy(update={"facts": []})


class Receipt(Wire):
    """An activity's output: a reference, its digest and the projected fields, never the payload (JOURNAL §7).

    `output` is filled by the activity itself and taken out by the journal interceptor, which stores it and sets `ref`,
    `digest` and `fields` (dotted path → value; '' is the whole output). `size` is the output's text in bytes, as a model would read it.
    `noted` is what the activity adds to the body of its ledger entry: small, and no personal data; the interceptor takes it out too.
    """

    v: int = 1
    fact_head: int = 0
    ref: str | None = None
    digest: str | None = None
    fields: dict[str, JsonValue] = {}
    usage: Usage = Usage()
    replayed: bool = False
    size: int = 0
    output: JsonValue = None
    noted: dict[str, JsonValue] = Field(default={}, exclude_if=lambda noted: not noted)
