"""What the gateway answers about a run's sagas."""

from standfast_client.models import Received


class SagaStep(Received):
    """One step of a saga.

    `state` is planned, skipped, running, done, failed (it surely did not happen), unknown, undoing, undone, undone_by_hand,
    failed_compensation (a person settles its undo) or kept (a person let it stand).
    """

    step: str
    kind: str
    state: str
    tool: str | None = None
    undo_tool: str | None = None
    pivot: bool = False
    retriable: bool = False


class SagaState(Received):
    """One saga; `state` is planned, running, completed, undoing, undone or failed, `within` the saga around it."""

    saga: str
    mode: str
    state: str
    within: str | None = None
    steps: list[SagaStep] = []


class RunSagas(Received):
    """The sagas of a run, outer ones before those inside them."""

    run: str
    status: str
    sagas: list[SagaState] = []
