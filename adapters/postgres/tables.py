"""Every table as a SQLModel (DESIGN §15): a test compares them with what migrations make, and `selects.py` reads from them.

Defaults live in SQL. Rows never leave this room: stores turn them into the values of `domain.stores`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, JSON, BigInteger, Boolean, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Text, text

import adapters.postgres.tables_agents  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_calendars  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it registers its tables: who imports this module knows all
import adapters.postgres.tables_channels  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it registers its tables: who imports this module knows all
import adapters.postgres.tables_dead_letters  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it registers its tables: who imports this module knows all
import adapters.postgres.tables_hooks  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_lineage  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it registers its tables: who imports this module knows all
import adapters.postgres.tables_mcp  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_memory  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_models  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_money  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_policies  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_sealing  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_secrets  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_streams  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_subjects  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_tools  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
import adapters.postgres.tables_webhooks  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the same
from adapters.postgres.columns import Table
from adapters.postgres.columns import column as _column


class Tenants(Table, table=True):
    """A tenant that has a principal or a run."""

    tenant_id: str = _column(Text(), primary_key=True)
    created_at: datetime = _column(DateTime(timezone=True))


class Principals(Table, table=True):
    """A principal with its live roles."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),)

    tenant_id: str = _column(Text(), primary_key=True)
    principal: str = _column(Text(), primary_key=True)
    name: str = _column(Text())
    role: str = _column(Text())
    reviewer_roles: list[str] = _column(ARRAY(Text()))
    created_at: datetime = _column(DateTime(timezone=True))


class ApiKeys(Table, table=True):
    """An API key; `secret_hmac` is HMAC-SHA-256 of the secret under the pepper."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "principal"], ["principals.tenant_id", "principals.principal"]),)

    tenant_id: str = _column(Text(), primary_key=True)
    key_id: str = _column(Text(), primary_key=True)
    principal: str = _column(Text())
    secret_hmac: bytes = _column(LargeBinary())
    created_at: datetime = _column(DateTime(timezone=True))
    revoked_at: datetime | None = _column(DateTime(timezone=True), nullable=True)


class Definitions(Table, table=True):
    """A definition's name."""

    tenant_id: str = _column(Text(), primary_key=True)
    name: str = _column(Text(), primary_key=True)
    created_at: datetime = _column(DateTime(timezone=True))


class DefinitionVersions(Table, table=True):
    """An immutable version; `document` keeps the order of keys as it was registered."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "name"], ["definitions.tenant_id", "definitions.name"]),)

    tenant_id: str = _column(Text(), primary_key=True)
    name: str = _column(Text(), primary_key=True)
    version: str = _column(Text(), primary_key=True)
    sha256: str = _column(Text())
    document: dict[str, Any] = _column(JSON())
    input_schema: dict[str, Any] = _column(JSON())
    config_schema: dict[str, Any] = _column(JSON())
    config_defaults: dict[str, Any] = _column(JSON())
    tools: dict[str, Any] = _column(JSON())
    registered_at: datetime = _column(DateTime(timezone=True))
    registered_by: str = _column(Text())


class Prompts(Table, table=True):
    """An immutable prompt version."""

    tenant_id: str = _column(Text(), primary_key=True)
    name: str = _column(Text(), primary_key=True)
    version: str = _column(Text(), primary_key=True)
    sha256: str = _column(Text())
    body: str = _column(Text())
    registered_at: datetime = _column(DateTime(timezone=True))
    registered_by: str = _column(Text())


class Runs(Table, table=True):
    """A run: its projection, the heads of its chain and of its facts, and sums over its effects."""

    __table_args__ = (
        Index("runs_by_creation", "tenant_id", "created_at", "run"),
        Index("runs_by_status", "tenant_id", "status", "created_at", "run"),
        Index("runs_by_definition", "tenant_id", "definition", "created_at", "run"),
        Index("runs_open", "tenant_id", "run", postgresql_where=text("closed_at IS NULL")),
        Index("runs_unsealed", "tenant_id", "run", postgresql_where=text("unsealed")),
        Index("runs_by_subject", "tenant_id", "subject", "run"),
        Index("runs_purgeable", "tenant_id", "closed_at", "run", postgresql_where=text("closed_at IS NOT NULL AND erased_at IS NULL")),
        Index("runs_with_residue", "tenant_id", "run", postgresql_where=text("residue")),
        Index("runs_by_parent", "tenant_id", "parent_run", postgresql_where=text("parent_run IS NOT NULL")),
    )

    tenant_id: str = _column(Text(), primary_key=True)
    run: str = _column(Text(), primary_key=True)
    definition: str = _column(Text())
    version: str = _column(Text())
    definition_sha256: str = _column(Text())
    principal: str = _column(Text())
    correlation_id: str = _column(Text())
    fingerprint: str = _column(Text())
    expression_engine: str = _column(Text())
    status: str = _column(Text())
    reason: str | None = _column(Text(), nullable=True)
    waits_for: str | None = _column(Text(), nullable=True)
    error: dict[str, Any] | None = _column(JSON(), nullable=True)
    epoch: int | None = _column(Integer(), nullable=True)
    temporal_run_id: str | None = _column(Text(), nullable=True)
    fact_head: int = _column(Integer())
    projection_epoch: int = _column(Integer())
    projection_fact_seq: int = _column(Integer())
    head_seq: int = _column(BigInteger())
    head_hash: bytes = _column(LargeBinary())
    input_ref: str = _column(Text())
    config_ref: str = _column(Text())
    result_ref: str | None = _column(Text(), nullable=True)
    input_labels: list[str] = _column(ARRAY(Text()))
    input_tokens: int = _column(BigInteger())
    output_tokens: int = _column(BigInteger())
    cost_usd_micros: int = _column(BigInteger())
    model: str | None = _column(Text(), nullable=True)
    created_at: datetime = _column(DateTime(timezone=True))
    updated_at: datetime = _column(DateTime(timezone=True))
    closed_at: datetime | None = _column(DateTime(timezone=True), nullable=True)
    unsealed: bool = _column(Boolean())
    parent_run: str | None = _column(Text(), nullable=True)
    fork_step: str | None = _column(Text(), nullable=True)
    fork_effects: str | None = _column(Text(), nullable=True)
    subject: str | None = _column(Text(), nullable=True)
    subject_key: str | None = _column(Text(), nullable=True)
    erased_at: datetime | None = _column(DateTime(timezone=True), nullable=True)
    erasure: str | None = _column(Text(), nullable=True)
    residue: bool = _column(Boolean())
    residue_objects: int | None = _column(BigInteger(), nullable=True)
    residue_histories: int | None = _column(BigInteger(), nullable=True)


class IdempotencyKeys(Table, table=True):
    """An Idempotency-Key in flight (a lease) or answered (status and sealed body)."""

    tenant_id: str = _column(Text(), primary_key=True)
    route: str = _column(Text(), primary_key=True)
    key: str = _column(Text(), primary_key=True)
    fingerprint: str = _column(Text())
    lease_until: datetime = _column(DateTime(timezone=True))
    status: int | None = _column(Integer(), nullable=True)
    headers: dict[str, Any] | None = _column(JSON(), nullable=True)
    sealed: bytes | None = _column(LargeBinary(), nullable=True)
    created_at: datetime = _column(DateTime(timezone=True))


class Effects(Table, table=True):
    """An effect (JOURNAL §2); `diverged_digest` is the other request that came."""

    tenant_id: str = _column(Text(), primary_key=True)
    run: str = _column(Text(), primary_key=True)
    step: str = _column(Text(), primary_key=True)
    visit: int = _column(Integer(), primary_key=True)
    call: str = _column(Text(), primary_key=True)
    digest: str = _column(Text())
    diverged_digest: str | None = _column(Text(), nullable=True)
    epoch: int = _column(Integer())
    attempt: int = _column(Integer())
    lease_token: str = _column(Text())
    lease_until: datetime = _column(DateTime(timezone=True))
    effect_class: str = _column(Text())
    retry_class: str = _column(Text())
    subject: str = _column(Text())
    state: str = _column(Text())
    started_at: datetime = _column(DateTime(timezone=True))
    ended_at: datetime | None = _column(DateTime(timezone=True), nullable=True)
    request_ref: str | None = _column(Text(), nullable=True)
    output_ref: str | None = _column(Text(), nullable=True)
    output_digest: str | None = _column(Text(), nullable=True)
    error: dict[str, Any] | None = _column(JSON(), nullable=True)
    input_tokens: int = _column(BigInteger())
    output_tokens: int = _column(BigInteger())
    cost_usd_micros: int = _column(BigInteger())
    duration_ms: int = _column(BigInteger())
    model: str | None = _column(Text(), nullable=True)


REQUESTS = "kind IN ('gateway:run:cancel_requested', 'gateway:run:redriven', 'gateway:run:compensate_requested')"
"""The few entries that say what people asked of a run: its page shows them, however long its ledger is."""


class LedgerEntries(Table, table=True):
    """A ledger entry; `fact_digest` only tells a repeated fact from a diverged one and is no evidence."""

    __table_args__ = (
        Index("ledger_entries_facts", "tenant_id", "run", "epoch", "fact_seq", unique=True, postgresql_where=text("fact_seq IS NOT NULL")),
        Index("ledger_entries_requests", "tenant_id", "run", "seq", postgresql_where=text(REQUESTS)),
    )

    tenant_id: str = _column(Text(), primary_key=True)
    run: str = _column(Text(), primary_key=True)
    seq: int = _column(BigInteger(), primary_key=True)
    recorded_at: datetime = _column(DateTime(timezone=True))
    prev: bytes = _column(LargeBinary())
    hash: bytes = _column(LargeBinary())
    body: bytes = _column(LargeBinary())
    kind: str = _column(Text())
    principal: str = _column(Text())
    epoch: int = _column(Integer())
    fact_seq: int | None = _column(Integer(), nullable=True)
    step: str | None = _column(Text(), nullable=True)
    payload_digest: str | None = _column(Text(), nullable=True)
    fact_digest: str | None = _column(Text(), nullable=True)


class Payloads(Table, table=True):
    """A sealed payload, its salt inside."""

    __table_args__ = (Index("payloads_by_run", "tenant_id", "run"),)

    tenant_id: str = _column(Text(), primary_key=True)
    ref: str = _column(Text(), primary_key=True)
    run: str = _column(Text())
    sealed: bytes = _column(LargeBinary())
    created_at: datetime = _column(DateTime(timezone=True))


class Messages(Table, table=True):
    """A sealed message of a conversation; `digest` is chained over all messages before it."""

    tenant_id: str = _column(Text(), primary_key=True)
    run: str = _column(Text(), primary_key=True)
    conversation: str = _column(Text(), primary_key=True)
    ordinal: int = _column(Integer(), primary_key=True)
    digest: str = _column(Text())
    sealed: bytes = _column(LargeBinary())
    created_at: datetime = _column(DateTime(timezone=True))


class Approvals(Table, table=True):
    """An approval of the inbox; title, calls and nonce are sealed."""

    __table_args__ = (
        Index("approvals_by_due", "tenant_id", "state", "due", "approval"),
        Index("approvals_by_opening", "tenant_id", "state", "opened_at", "approval"),
        Index("approvals_decided", "tenant_id", "definition", "decided_at", "approval", postgresql_where=text("decided_at IS NOT NULL")),
        Index("approvals_by_run", "tenant_id", "run"),
        ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),
    )

    tenant_id: str = _column(Text(), primary_key=True)
    approval: str = _column(Text(), primary_key=True)
    run: str = _column(Text())
    definition: str = _column(Text())
    step: str = _column(Text())
    visit: int = _column(Integer())
    state: str = _column(Text())
    digest: str = _column(Text())
    reviewer_role: str = _column(Text())
    exclude_requester: bool = _column(Boolean())
    requester: str = _column(Text())
    opened_at: datetime = _column(DateTime(timezone=True))
    deadline: datetime | None = _column(DateTime(timezone=True), nullable=True)
    sealed: bytes = _column(LargeBinary())
    decision_id: str | None = _column(Text(), nullable=True)
    decided_by: str | None = _column(Text(), nullable=True)
    decided_at: datetime | None = _column(DateTime(timezone=True), nullable=True)
    comment_sealed: bytes | None = _column(LargeBinary(), nullable=True)
    reviewer_roles: list[str] = _column(ARRAY(Text()))
    delegates: list[str] = _column(ARRAY(Text()))
    rules: dict[str, Any] | None = _column(JSON(), nullable=True)
    standing: dict[str, Any] | None = _column(JSON(), nullable=True)
    revision: int = _column(Integer())
    amended_by: str | None = _column(Text(), nullable=True)
    due: datetime = _column(DateTime(timezone=True))
    assignee: str | None = _column(Text(), nullable=True)
    assigned_by: str | None = _column(Text(), nullable=True)
    assigned_at: datetime | None = _column(DateTime(timezone=True), nullable=True)


class Decisions(Table, table=True):
    """A stored decision."""

    __table_args__ = (
        Index("decisions_by_state", "tenant_id", "state", "stored_at"),
        Index("decisions_by_approval", "tenant_id", "approval"),
        ForeignKeyConstraint(["tenant_id", "approval"], ["approvals.tenant_id", "approvals.approval"]),
    )

    tenant_id: str = _column(Text(), primary_key=True)
    decision_id: str = _column(Text(), primary_key=True)
    run: str = _column(Text())
    approval: str = _column(Text())
    verdict: str = _column(Text())
    digest: str = _column(Text())
    comment_sealed: bytes = _column(LargeBinary())
    principal: str = _column(Text())
    attestation: str = _column(Text())
    state: str = _column(Text())
    refusal: dict[str, Any] | None = _column(JSON(), nullable=True)
    stored_at: datetime = _column(DateTime(timezone=True))
    content_sealed: bytes | None = _column(LargeBinary(), nullable=True)


class Tasks(Table, table=True):
    """A human task; title and detail are sealed, its output is a payload."""

    __table_args__ = (
        Index("tasks_by_state", "tenant_id", "state", "opened_at", "task"),
        Index("tasks_by_due", "tenant_id", "state", "due", "task"),
        Index("tasks_moving", "tenant_id", "next_at", postgresql_where=text("own AND state = 'open' AND next_at IS NOT NULL")),
        Index("tasks_by_effect", "tenant_id", "run", "step", "visit", "call"),
        Index("tasks_undelivered", "tenant_id", "opened_at", "task", postgresql_where=text("NOT delivered")),
        ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),
    )

    tenant_id: str = _column(Text(), primary_key=True)
    task: str = _column(Text(), primary_key=True)
    run: str | None = _column(Text(), nullable=True)
    kind: str = _column(Text())
    step: str = _column(Text())
    visit: int = _column(Integer())
    call: str = _column(Text())
    state: str = _column(Text())
    sealed: bytes = _column(LargeBinary())
    opened_at: datetime = _column(DateTime(timezone=True))
    resolution: str | None = _column(Text(), nullable=True)
    completed_by: str | None = _column(Text(), nullable=True)
    completed_at: datetime | None = _column(DateTime(timezone=True), nullable=True)
    output_ref: str | None = _column(Text(), nullable=True)
    delivered: bool = _column(Boolean())
    role: str | None = _column(Text(), nullable=True)
    assignee: str | None = _column(Text(), nullable=True)
    priority: str = _column(Text())
    due: datetime | None = _column(DateTime(timezone=True), nullable=True)
    stages: list[Any] | None = _column(JSON(), nullable=True)  # Any: a ladder's stages, as the domain wrote them
    level: int = _column(Integer())
    breached_at: datetime | None = _column(DateTime(timezone=True), nullable=True)
    own: bool = _column(Boolean())
    created_by: str | None = _column(Text(), nullable=True)
    next_at: datetime | None = _column(DateTime(timezone=True), nullable=True)
    answer_sealed: bytes | None = _column(LargeBinary(), nullable=True)
