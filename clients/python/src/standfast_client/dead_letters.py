"""What the gateway answers about dead letters."""

from standfast_client.models import Received


class DeadLetter(Received):
    """Something that was given up.

    `kind` is run, effect, delivery, schedule or hook; `state` is open, redriven or discarded. `cause` is a stable code, and `detail` says
    it in words. `refused` is the code with which its last redrive was refused.
    """

    dead_letter: str
    kind: str
    subject: str
    run: str | None = None
    definition: str | None = None
    step: str | None = None
    cause: str
    detail: str = ""
    attempts: int = 1
    first_at: str
    last_at: str
    payload_ref: str | None = None
    state: str
    by: str | None = None
    reason: str | None = None
    closed_at: str | None = None
    refused: str | None = None


class BulkRedrive(Received):
    """A redrive of many: how many were `redriven` or `refused`, and how many are `left`; `finished_at` is None until none is."""

    redrive: str
    kind: str | None = None
    cause: str | None = None
    definition: str | None = None
    since: str | None = None
    rate: float
    reason: str | None = None
    requested_by: str
    requested_at: str
    redriven: int
    refused: int
    left: int
    finished_at: str | None = None
