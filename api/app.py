"""Builds the gateway from its ports."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.authentication import Authentication
from api.correlation import CorrelationMiddleware
from api.deps import GatewayDeps
from api.gate import Gate, gated_route
from api.idempotency import Idempotency
from api.openapi import describe
from api.problems import install_problems
from api.routes.agents import AgentRoutes
from api.routes.approvals import ApprovalRoutes
from api.routes.budgets import BudgetRoutes
from api.routes.calendars import CalendarRoutes
from api.routes.channels import ChannelRoutes
from api.routes.codec import CodecRoutes
from api.routes.costs import CostRoutes
from api.routes.dead_letters import DeadLetterRoutes
from api.routes.definitions import DefinitionRoutes
from api.routes.events import EventRoutes
from api.routes.hooks import HookRoutes
from api.routes.inbound import InboundRoutes
from api.routes.ledger import LedgerRoutes
from api.routes.lineage import LineageRoutes
from api.routes.mcp import McpRoutes
from api.routes.mcp_servers import McpServerRoutes
from api.routes.memory import MemoryRoutes
from api.routes.models import ModelRoutes
from api.routes.platform import PlatformRoutes
from api.routes.policies import PolicyRoutes
from api.routes.proofs import ProofRoutes
from api.routes.review_pages import ReviewPageRoutes
from api.routes.runs import RunRoutes
from api.routes.sagas import SagaRoutes
from api.routes.secrets import SecretRoutes
from api.routes.signals import SignalRoutes
from api.routes.subjects import SubjectRoutes
from api.routes.substitutes import SubstituteRoutes
from api.routes.tasks import TaskRoutes
from api.routes.tools import ToolRoutes
from api.routes.webhooks import WebhookRoutes


def create_app(deps: GatewayDeps) -> FastAPI:
    """Return the gateway; nothing is connected or read before the first request."""
    app = FastAPI(
        title="Standfast",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    authentication = Authentication(deps.keys, deps.key_pepper)
    app.router.route_class = gated_route(Gate(authentication, Idempotency(deps.idempotency, deps.key_pepper)))
    groups = (
        RunRoutes(deps),
        EventRoutes(deps),
        SignalRoutes(deps),
        LineageRoutes(deps),
        SagaRoutes(deps),
        LedgerRoutes(deps),
        ProofRoutes(deps),
        ApprovalRoutes(deps),
        CalendarRoutes(deps),
        SubstituteRoutes(deps),
        TaskRoutes(deps),
        DeadLetterRoutes(deps),
        DefinitionRoutes(deps),
        ToolRoutes(deps),
        AgentRoutes(deps),
        WebhookRoutes(deps),
        HookRoutes(deps),
        InboundRoutes(deps),
        McpRoutes(deps),
        MemoryRoutes(deps),
        PolicyRoutes(deps),
        McpServerRoutes(deps),
        SecretRoutes(deps),
        SubjectRoutes(deps),
        BudgetRoutes(deps),
        CostRoutes(deps),
        ModelRoutes(deps),
        PlatformRoutes(deps),
        CodecRoutes(deps, authentication),
        ReviewPageRoutes(deps),
        ChannelRoutes(deps),
    )
    for group in groups:
        group.add_to(app)
    install_problems(app)
    app.add_middleware(CorrelationMiddleware)
    describe(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
