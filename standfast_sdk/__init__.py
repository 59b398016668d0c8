"""For people who write Temporal workflows by hand: re-exports of the platform's blocks, with the guarantees that definitions have."""

from activities.function_tools import FunctionTool, tool
from domain.budget import BudgetRule
from domain.program import RetryRule
from domain.tools import ToolCall
from workflows.agent_blocks import Planned, Reviewed, Routed, plan_and_execute, reflect, route, validated
from workflows.code_agents import Handled, hand_around, run_agent
from workflows.code_runs import Call, Run
from workflows.code_sagas import Saga
from workflows.run_tickets import RunTicket
from workflows.saga_entries import HandedOver, Made, Undoing
from workflows.saga_events import SagaEvent, SagaEvents

__all__ = [
    "BudgetRule",
    "Call",
    "FunctionTool",
    "HandedOver",
    "Handled",
    "Made",
    "Planned",
    "RetryRule",
    "Reviewed",
    "Routed",
    "Run",
    "RunTicket",
    "Saga",
    "SagaEvent",
    "SagaEvents",
    "ToolCall",
    "Undoing",
    "hand_around",
    "plan_and_execute",
    "reflect",
    "route",
    "run_agent",
    "tool",
    "validated",
]
