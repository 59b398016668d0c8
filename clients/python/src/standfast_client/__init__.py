"""The Python client of Standfast: start runs, decide approvals, answer tasks, verify ledgers. It speaks HTTP and nothing else.

`Standfast` waits for each answer, `AsyncStandfast` awaits it; both have the same methods. All exceptions derive from
`StandfastError`.
"""

from standfast_client.agents import Agent, AgentMove, AgentRegistration, Prompt
from standfast_client.asynchronous.client import AsyncStandfast
from standfast_client.asynchronous.runs import AsyncRunHandle
from standfast_client.blocking.client import Standfast
from standfast_client.blocking.runs import RunHandle
from standfast_client.bundle import BundleError
from standfast_client.channels import Channel, Channels, ChannelTest, Contact, LinkKeys
from standfast_client.dead_letters import BulkRedrive, DeadLetter
from standfast_client.errors import (
    ApiError,
    BadRequestError,
    ConflictError,
    ErasedError,
    ForbiddenError,
    GatewayUnreachableError,
    InputFault,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    RateLimitedError,
    RunFailedError,
    ServerError,
    StandfastError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedAnswerError,
    WaitTimedOutError,
)
from standfast_client.events import RunEvent
from standfast_client.exchange import RetryPolicy
from standfast_client.hooks import Hook, HookRemoved, HookRequest, SignalSent
from standfast_client.lineage import Comparison, Redriven, RunSide, StepPair, StepSide
from standfast_client.mcp import McpApproved, McpAuthorization, McpServer, McpServerRemoved, McpTool, SecretReference, SecretRemoved
from standfast_client.memory import MemoryRecord
from standfast_client.model_table import ModelAlias, ModelCapabilities, ModelFallback
from standfast_client.models import (
    Approval,
    BatchAnswer,
    BoundCall,
    Decision,
    Definition,
    Effect,
    Fault,
    Lineage,
    ReviewerGroup,
    ReviewEvent,
    Run,
    Standing,
    Task,
    TaskStage,
    Trace,
)
from standfast_client.money import Budget, BudgetEvent, CostGroup, Costs, Estimate, Invoice, Price
from standfast_client.policies import PolicySet, PolicySets, PolicyText, PolicyVerdict
from standfast_client.proofs import Consistency, Inclusion, PublicKey, TreeHead
from standfast_client.removals import LegalHold, Removal, RemovalPlan, Retention, RetentionRule
from standfast_client.reviewing import ApprovalDetail, ArgumentOrigin, Calendar, Instants, Message, Origin, PastDecision, Substitution
from standfast_client.sagas import RunSagas, SagaState, SagaStep
from standfast_client.tools import CallForm, ImportedTools, SkippedOperation, Tool, ToolAnomaly, ToolCall, ToolChange, ToolGrant
from standfast_client.verify import LedgerEntry, Verdict
from standfast_client.webhooks import Delivery, DeliveryAttempt, Replay, TestDelivery, Webhook, WebhookRemoved

__all__ = [
    "Agent",
    "AgentMove",
    "AgentRegistration",
    "ApiError",
    "Approval",
    "ApprovalDetail",
    "ArgumentOrigin",
    "AsyncRunHandle",
    "AsyncStandfast",
    "BadRequestError",
    "BatchAnswer",
    "BoundCall",
    "Budget",
    "BudgetEvent",
    "BulkRedrive",
    "BundleError",
    "Calendar",
    "CallForm",
    "Channel",
    "ChannelTest",
    "Channels",
    "Comparison",
    "ConflictError",
    "Consistency",
    "Contact",
    "CostGroup",
    "Costs",
    "DeadLetter",
    "Decision",
    "Definition",
    "Delivery",
    "DeliveryAttempt",
    "Effect",
    "ErasedError",
    "Estimate",
    "Fault",
    "ForbiddenError",
    "GatewayUnreachableError",
    "Hook",
    "HookRemoved",
    "HookRequest",
    "ImportedTools",
    "Inclusion",
    "InputFault",
    "Instants",
    "InvalidInputError",
    "Invoice",
    "LedgerEntry",
    "LegalHold",
    "Lineage",
    "LinkKeys",
    "McpApproved",
    "McpAuthorization",
    "McpServer",
    "McpServerRemoved",
    "McpTool",
    "MemoryRecord",
    "Message",
    "ModelAlias",
    "ModelCapabilities",
    "ModelFallback",
    "NotConfiguredError",
    "NotFoundError",
    "Origin",
    "PastDecision",
    "PolicySet",
    "PolicySets",
    "PolicyText",
    "PolicyVerdict",
    "Price",
    "Prompt",
    "PublicKey",
    "RateLimitedError",
    "Redriven",
    "Removal",
    "RemovalPlan",
    "Replay",
    "Retention",
    "RetentionRule",
    "RetryPolicy",
    "ReviewEvent",
    "ReviewerGroup",
    "Run",
    "RunEvent",
    "RunFailedError",
    "RunHandle",
    "RunSagas",
    "RunSide",
    "SagaState",
    "SagaStep",
    "SecretReference",
    "SecretRemoved",
    "ServerError",
    "SignalSent",
    "SkippedOperation",
    "Standfast",
    "StandfastError",
    "Standing",
    "StepPair",
    "StepSide",
    "Substitution",
    "Task",
    "TaskStage",
    "TestDelivery",
    "Tool",
    "ToolAnomaly",
    "ToolCall",
    "ToolChange",
    "ToolGrant",
    "Trace",
    "TreeHead",
    "UnauthenticatedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "Verdict",
    "WaitTimedOutError",
    "Webhook",
    "WebhookRemoved",
]
