"""A gateway over fakes, with one key per role, and a run that can be brought to an approval."""

import asyncio
import secrets
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import TypeVar

import httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import JsonValue

from adapters.calendars.zones import PinnedZones
from adapters.codec.head_keys import DerivedHeadKeys
from adapters.definitions.agent_reader import YamlAgentReader
from adapters.definitions.documents import read_document
from adapters.definitions.yaml_reader import YamlBundleReader
from adapters.policy.late_engine import LateEngine
from adapters.policy.shipped import ShippedSets
from api.agent_deps import AgentDeps
from api.app import create_app
from api.channel_deps import ChannelDeps
from api.dead_letter_deps import DeadLetterDeps
from api.deps import GatewayDeps
from api.hook_deps import HookDeps
from api.mcp_deps import McpDeps, SecretDeps
from api.model_deps import ModelDeps
from api.money_deps import MoneyDeps
from api.policy_views import PolicyDeps
from api.reviewing_deps import ReviewingDeps
from api.stream_deps import StreamDeps
from api.subject_deps import SubjectDeps
from api.tool_deps import ToolDeps
from api.webhook_deps import WebhookDeps
from domain.agents import PRODUCTION
from domain.approval import BoundCall, OpenApproval, approval_digest
from domain.compile import compile_program
from domain.dead_letters import DeadLetterKind, Redriver
from domain.effects import Carrier, EffectClass
from domain.ids import CROCKFORD, format_id
from domain.principals import ApiKeyParts, Principal, Role, format_api_key, key_hmac
from domain.registry import DefinitionDraft
from domain.runs import ApprovalProjection, Projection, RunStatus, TaskProjection
from domain.stores import RunRow
from domain.tools import ToolSpec
from tests.api.fake_codec import FakeCodecServer
from tests.api.fake_temporal import FakeTemporal
from tests.fake_memory import FakeMemoryDesk
from tests.fake_objects import FakeObjects
from tests.fakes_deliveries import FakeRelay
from tests.fakes_models import FakeAliases
from tests.fakes_policies import FakePolicyStore
from tests.fakes_prices import FakePrices
from tests.fakes_stores import FakeStores
from tests.fakes_subjects import FakeHistories

T = TypeVar("T")

PEPPER, RUN_IDS, ATTESTATION, PSEUDONYMS = b"p" * 32, b"r" * 32, b"a" * 32, b"s" * 32
FORMS, LINK_KEYS = b"f" * 32, DerivedHeadKeys(b"l" * 32, purpose="review-link-signing")
REVIEWER_ROLE = "claims-approver"
UI_ORIGIN = "http://localhost:8233"

PAY = ToolSpec(name="bank.pay", version="1.0.0", description="Pay.", input_schema={"type": "object"}, effect_class=EffectClass.MONEY)

CLAIM = """standfast: 1
name: delay-claim
version: 1.0.0
input:
  schema:
    type: object
    required: [claim]
    properties:
      claim:
        type: object
        required: [id]
        properties: {id: {type: string}}
config:
  schema:
    type: object
    properties: {limit: {type: integer}}
  defaults: {limit: 200}
do:
  - pay:
      call: bank.pay
      with: {claim: "${ input.claim.id }", limit: "${ config.limit }"}
output: "${ steps.pay.output }"
"""


def drafts_of(text: str) -> list[DefinitionDraft]:
    """Return the drafts of a bundle of one file."""
    drafts, problems = YamlBundleReader().read({"definition.yaml": text}, tools=[PAY])
    assert not problems, problems
    return drafts


@cache
def claim_draft() -> DefinitionDraft:
    """Return the claim's draft; nobody changes a draft, so one is enough."""
    return drafts_of(CLAIM)[0]


def fresh_id(prefix: str) -> str:
    """Return a random id."""
    return format_id(prefix, secrets.token_bytes(16))


def wait_for(work: Coroutine[object, object, T]) -> T:
    """Run a fake's coroutine; fakes wait for nothing."""
    return asyncio.run(work)


@dataclass
class Gateway:
    """The app, its fakes, and keys by role. Build it with `gateway()`."""

    stores: FakeStores
    temporal: FakeTemporal
    app: FastAPI
    deps: GatewayDeps
    keys: dict[str, str] = field(default_factory=dict[str, str])
    principals: dict[str, Principal] = field(default_factory=dict[str, Principal])

    def client(self, who: str | None = "admin") -> TestClient:
        """Return a client that sends this principal's key; None sends none."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

    def add_key(self, who: str, role: Role, *, tenant: str = "default", reviewer_roles: tuple[str, ...] = ()) -> None:
        """Make a principal with a key."""
        key_id, secret = (("".join(secrets.choice(CROCKFORD) for _ in range(n))) for n in (26, 52))
        principal = fresh_id("prn")
        self.keys[who] = format_api_key(ApiKeyParts(environment="test", key_id=key_id, secret=secret))
        self.principals[who] = Principal(id=principal, tenant=tenant, role=role, reviewer_roles=reviewer_roles, name=who)
        wait_for(
            self.stores.keys.create(
                tenant,
                key_id=key_id,
                secret_hmac=key_hmac(PEPPER, secret),
                principal=principal,
                name=who,
                role=role,
                reviewer_roles=reviewer_roles,
            )
        )

    def register(self, draft: DefinitionDraft, *, tenant: str = "default") -> None:
        """Register a definition."""
        wait_for(self.stores.definitions.register(tenant, draft, principal="prn_test"))

    def start(self, who: str = "operator", **body: JsonValue) -> str:
        """Start a claim and return its run."""
        answer = self.client(who).post("/v1/runs", json={"definition": "delay-claim", "input": {"claim": {"id": "c-1"}}, **body})
        assert answer.status_code == 202, answer.text
        return answer.json()["run"]

    def project(self, run: str, projection: Projection, *, tenant: str = "default", seq: int = 1) -> RunRow:
        """Write a projection as the run's worker does."""
        row = self.stores.database.run(tenant, run)
        carrier = Carrier(tenant=tenant, run=run, epoch=1, principal=row.principal, correlation_id=row.correlation_id)
        wait_for(self.stores.run_ledger.flush(carrier, projection, fact_seq=seq))
        return self.stores.database.run(tenant, run)

    def succeed(self, run: str, result: JsonValue) -> None:
        """End a run well."""
        self.project(run, Projection(status=RunStatus.SUCCEEDED, result=result))

    def succeed_soon(self, run: str, result: JsonValue) -> None:
        """End a run well in another thread, as its worker would."""
        threading.Thread(target=self.succeed, args=(run, result)).start()

    def forget_answers(self) -> None:
        """Lose every stored answer, as when a gateway dies before it finishes one and its lease runs out."""
        self.stores.idempotency.claims.clear()

    def open_approval(self, run: str, *, deadline_s: float | None = 3600, exclude_requester: bool = True) -> str:
        """Bring a run to an approval, in the run and in the inbox, and return the approval's id."""
        row = self.stores.database.run("default", run)
        approval, calls = (
            fresh_id("apr"),
            [BoundCall(step="settle.pay", tool="bank.pay", version="1.0.0", arguments={"amount": 250})],
        )
        digest = approval_digest(tenant="default", run=run, approval=approval, step="gate", visit=1, nonce="n-1", calls=calls)
        database = self.stores.database
        deadline = None if deadline_s is None else (database.time + timedelta(seconds=deadline_s)).isoformat()
        opened = OpenApproval(
            approval=approval,
            step="gate",
            visit=1,
            title="Pay 250?",
            digest=digest,
            nonce="n-1",
            calls=calls,
            reviewer_role=REVIEWER_ROLE,
            exclude_requester=exclude_requester,
            requester=row.principal,
            opened_at=database.now(),
            deadline=deadline,
        )
        self.temporal.approvals[approval] = opened
        shown = ApprovalProjection.model_validate(opened.model_dump())
        self.project(run, Projection(status=RunStatus.WAITING, waits_for="an approval", open_approval=shown))
        return approval

    def open_task(self, run: str) -> str:
        """Bring a run to a human task and return its id."""
        task = fresh_id("tsk")
        shown = TaskProjection(
            task=task,
            kind="in_doubt",
            step="settle.pay",
            visit=1,
            call="",
            title="Did bank.pay happen?",
            detail="The worker was lost.",
            opened_at=self.stores.database.now(),
        )
        self.project(run, Projection(status=RunStatus.IN_DOUBT, open_task=shown))
        return task

    def decide(
        self, approval: str, who: str = "approver", *, verdict: str = "approve", key: str | None = None, **changes: str
    ) -> httpx2.Response:
        """Decide an approval with its own digest, unless `changes` say otherwise."""
        digest = self.temporal.approvals[approval].digest
        headers = {"Idempotency-Key": key} if key else {}
        return self.client(who).post(
            f"/v1/approvals/{approval}/decision", json={"verdict": verdict, "digest": digest, **changes}, headers=headers
        )


def _reviewing(stores: FakeStores) -> ReviewingDeps:
    return ReviewingDeps(
        calendars=stores.calendars,
        zones=PinnedZones(),
        substitutes=stores.substitutes,
        messages=stores.messages,
        payloads=stores.payloads,
    )


def _subjects(stores: FakeStores) -> SubjectDeps:
    return SubjectDeps(
        removals=stores.removals,
        retention=stores.retention,
        histories=FakeHistories(),
        objects=FakeObjects(),
        pseudonym_key=PSEUDONYMS,
    )


def _channels(stores: FakeStores) -> ChannelDeps:
    return ChannelDeps(
        store=stores.channels,
        link_keys=LINK_KEYS,
        form_key=FORMS,
        kinds=("email", "slack"),
        activate=FakeRelay(stores.delivery_tables).activate,
    )


def gateway(redrivers: Mapping[DeadLetterKind, Redriver] | None = None, *, send_s: float = 20.0, **changes: object) -> Gateway:
    """Return a gateway with the claim definition, one principal per role, a second approver, and a stranger of another tenant."""
    stores, temporal = FakeStores(), FakeTemporal(ATTESTATION)
    ports: dict[str, object] = {
        "runs": stores.runs,
        "ledger": stores.ledger,
        "tree": stores.log,
        "sealer": stores.log,
        "approvals": stores.approvals,
        "tasks": stores.tasks,
        "task_desk": stores.task_desk,
        "definitions": stores.definitions,
        "keys": stores.keys,
        "idempotency": stores.idempotency,
        "lineage": stores.lineage,
        "dead_letters": DeadLetterDeps(letters=stores.dead_letters, bulk=stores.bulk_redrives, redrivers=redrivers or {}),
        "subjects": _subjects(stores),
        "webhooks": WebhookDeps(subscriptions=stores.subscriptions, deliveries=stores.deliveries, past=stores.ledger_past),
        "hooks": HookDeps(hooks=stores.hooks, requests=stores.hook_requests),
        "models": ModelDeps(aliases=FakeAliases()),
        "money": MoneyDeps(budgets=stores.budgets, costs=stores.costs, prices=FakePrices(2)),
        "reviewing": _reviewing(stores),
        "mcp": McpDeps(servers=stores.mcp_servers, connections=stores.mcp_connections, authorizations=stores.mcp_connections),
        "memory": FakeMemoryDesk(),
        "policies": PolicyDeps(store=FakePolicyStore(), shipped=ShippedSets(), engine=LateEngine()),
        "secrets": SecretDeps(references=stores.secret_references),
        "agents": AgentDeps(store=stores.agents, reader=YamlAgentReader(), startable=PRODUCTION.startable),
        "streams": StreamDeps(reader=stores.streams, watching=stores.watching, heartbeat_s=0.05, send_s=send_s),
        "channels": _channels(stores),
        "bundle_reader": YamlBundleReader(),
        "compile_program": compile_program,
        "tool_specs": lambda: [PAY],
        "tools": ToolDeps(store=stores.tools, audit=stores.tool_audit, anomalies=stores.tool_audit, read_document=read_document),
        "temporal": temporal,
        "new_id": fresh_id,
        "now": lambda: stores.database.time,
        "key_pepper": PEPPER,
        "run_id_key": RUN_IDS,
        "attestation_key": ATTESTATION,
        "codec_server": FakeCodecServer(),
        "codec_origins": (UI_ORIGIN,),
        **changes,
    }
    deps = GatewayDeps(**ports)  # pyright: ignore[reportArgumentType]  # tests replace single ports by name
    built = Gateway(stores, temporal, create_app(deps), deps)
    for role in Role:
        built.add_key(role.value, role, reviewer_roles=(REVIEWER_ROLE,) if role in (Role.APPROVER, Role.ADMIN) else ())
    built.add_key("approver_2", Role.APPROVER, reviewer_roles=(REVIEWER_ROLE,))
    built.add_key("outsider", Role.APPROVER)
    built.add_key("stranger", Role.ADMIN, tenant="other", reviewer_roles=(REVIEWER_ROLE,))
    built.register(claim_draft())
    return built
