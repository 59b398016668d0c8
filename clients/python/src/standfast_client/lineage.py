"""What the gateway answers about redrives, forks and comparisons. Money is integer micro-USD, times are milliseconds."""

from pydantic import JsonValue

from standfast_client.models import Fault, Received


class Redriven(Received):
    """A run that goes on at `step` in its next epoch; `kept` steps keep what they did."""

    run: str
    epoch: int
    step: str
    kept: int
    status: str = "running"


class Forked(Received):
    """A new run that goes on at step `at` of its parent; `effects` is simulated or allowed."""

    run: str
    parent: str
    at: str
    effects: str
    kept: int


class StepSide(Received):
    """A step in one run; `status` is entered, succeeded, skipped, failed, or copied from the parent."""

    status: str
    visits: int = 1
    digest: str | None = None
    calls: int = 0
    failed_calls: int = 0
    simulated_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    duration_ms: int = 0


class StepPair(Received):
    """One step in both runs; None where a run did not come to it."""

    step: str
    a: StepSide | None = None
    b: StepSide | None = None
    same: bool


class RunSide(Received):
    """One of two compared runs; `duration_ms` is None while it is open."""

    run: str
    definition: str
    version: str
    status: str
    error: Fault | None = None
    result: JsonValue = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    duration_ms: int | None = None


class Comparison(Received):
    """Two runs side by side; differences are b minus a, and `related` says whether one is a fork of the other."""

    a: RunSide
    b: RunSide
    related: str | None = None
    same_outcome: bool
    tokens_difference: int = 0
    cost_difference_usd_micros: int = 0
    steps: list[StepPair] = []
