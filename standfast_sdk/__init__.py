"""For people who write Temporal workflows by hand: re-exports of the platform's blocks, with the guarantees that definitions have."""

from domain.program import RetryRule
from workflows.code_runs import Call, Run, RunTicket
from workflows.code_sagas import Saga
from workflows.saga_entries import HandedOver, Made, Undoing
from workflows.saga_events import SagaEvent, SagaEvents

__all__ = ["Call", "HandedOver", "Made", "RetryRule", "Run", "RunTicket", "Saga", "SagaEvent", "SagaEvents", "Undoing"]
