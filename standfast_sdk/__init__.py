"""For people who write Temporal workflows by hand: re-exports of the platform's blocks, with the guarantees that definitions have."""

from domain.program import RetryRule
from workflows.code_runs import Call, Run, RunTicket
from workflows.code_sagas import HandedOver, Made, Saga, Undoing

__all__ = ["Call", "HandedOver", "Made", "RetryRule", "Run", "RunTicket", "Saga", "Undoing"]
