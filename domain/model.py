"""The two pydantic model classes every domain type derives from; this side of the purity wall, no I/O.

`Value` is a frozen value that refuses unknown keys (definitions, API bodies). `Wire` is a payload that may meet an older or
newer peer (activity envelopes, workflow inputs): unknown keys are ignored, so a rolling upgrade never breaks a run.
"""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value; unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Wire(BaseModel):
    """A payload on a wire; unknown keys are ignored (DESIGN §15)."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)
