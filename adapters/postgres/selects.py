"""Every read of this room as a SQLModel select over the declared tables (DESIGN §15).

Nothing loads this at run time: SQLModel with SQLAlchemy takes a second to import, in every process at each of its starts.
`python -m adapters.postgres.reads` compiles these into `select_texts.py`, under the same names, and a test compares the two.
"""

from typing import Any, cast

from sqlalchemy import BigInteger, BindParameter, Float, Text, bindparam, exists, func, literal_column, or_, tuple_
from sqlmodel import col, select

from adapters.postgres.tables import (
    ApiKeys,
    Approvals,
    Decisions,
    DefinitionVersions,
    Effects,
    LedgerEntries,
    Messages,
    Payloads,
    Runs,
    Tasks,
)
from adapters.postgres.tables_lineage import Continuations
from adapters.postgres.tables_sealing import LedgerLeaves, SigningKeys, TreeHeads
from adapters.postgres.tables_subjects import Erasures, LegalHolds, RetentionRules


def _param(name: str) -> BindParameter[Any]:  # Any: it is compared with columns of any type
    """Return a named parameter whose type is that of the column it meets."""
    return cast("BindParameter[Any]", bindparam(name))


_tenant, _run = _param("tenant"), _param("run")
_limit = _param("limit")
_seconds_ago = func.clock_timestamp() - bindparam("seconds", type_=Float()) * literal_column("interval '1 second'")

# Principals and their keys

API_KEY = select(ApiKeys).where(col(ApiKeys.tenant_id) == _tenant, col(ApiKeys.key_id) == _param("key_id"))

# Definitions

_version = DefinitionVersions
DEFINITION_VERSION = select(_version).where(
    col(_version.tenant_id) == _tenant, col(_version.name) == _param("name"), col(_version.version) == _param("version")
)
DEFINITION_VERSIONS = select(_version).where(col(_version.tenant_id) == _tenant).order_by(col(_version.name))
VERSIONS_OF_DEFINITION = select(col(_version.version)).where(col(_version.tenant_id) == _tenant, col(_version.name) == _param("name"))
DEFINITION_NAMES = (
    select(col(_version.name)).where(col(_version.tenant_id) == _tenant).distinct().order_by(col(_version.name)).limit(literal_column("20"))
)

# Runs and what belongs to one

RUN_BY_ID = select(Runs).where(col(Runs.tenant_id) == _tenant, col(Runs.run) == _run)
RUN_PAGE = (
    select(Runs)
    .where(
        col(Runs.tenant_id) == _tenant,
        or_(bindparam("any_status"), col(Runs.status) == func.any(bindparam("statuses"))),
        or_(bindparam("definition", type_=Text()).is_(None), col(Runs.definition) == _param("definition")),
        tuple_(col(Runs.created_at), col(Runs.run)) < tuple_(_param("created_at"), _run),
    )
    .order_by(col(Runs.created_at).desc(), col(Runs.run).desc())
    .limit(_limit)
)
OLD_ACCEPTED = (
    select(Runs)
    .where(
        col(Runs.tenant_id) == _tenant,
        col(Runs.status) == literal_column("'accepted'"),
        col(Runs.epoch).is_(None),
        col(Runs.created_at) < _seconds_ago,
        col(Runs.parent_run).is_(None),
    )
    .order_by(col(Runs.created_at))
    .limit(_limit)
)
OPEN_RUNS = (
    select(Runs)
    .where(
        col(Runs.tenant_id) == _tenant,
        col(Runs.closed_at).is_(None),
        col(Runs.epoch).is_not(None),
        col(Runs.updated_at) < _seconds_ago,
        ~exists().where(
            col(Continuations.tenant_id) == col(Runs.tenant_id),
            col(Continuations.run) == col(Runs.run),
            col(Continuations.started_at).is_(None),
        ),
    )
    .order_by(col(Runs.updated_at))
    .limit(_limit)
)
PAYLOAD_OF_RUN = select(Payloads).where(col(Payloads.tenant_id) == _tenant, col(Payloads.ref) == func.any(bindparam("refs")))
EFFECTS_OF_RUN = (
    select(Effects)
    .where(col(Effects.tenant_id) == _tenant, col(Effects.run) == _run)
    .order_by(col(Effects.started_at), col(Effects.step), col(Effects.visit), col(Effects.call))
)
ENTRIES_OF_RUN = (
    select(LedgerEntries)
    .where(col(LedgerEntries.tenant_id) == _tenant, col(LedgerEntries.run) == _run, col(LedgerEntries.seq) > _param("after"))
    .order_by(col(LedgerEntries.seq))
    .limit(_limit)
)
FACTS_OF_RUN = (
    select(LedgerEntries)
    .where(col(LedgerEntries.tenant_id) == _tenant, col(LedgerEntries.run) == _run, col(LedgerEntries.fact_seq).is_not(None))
    .order_by(col(LedgerEntries.seq))
)
MESSAGE_SLICE = (
    select(Messages)
    .where(
        col(Messages.tenant_id) == _tenant,
        col(Messages.run) == _run,
        col(Messages.conversation) == _param("conversation"),
        col(Messages.ordinal).between(bindparam("first"), bindparam("last")),
    )
    .order_by(col(Messages.ordinal))
)

# The inbox: approvals with their decisions, and tasks

APPROVAL = select(Approvals).where(col(Approvals.tenant_id) == _tenant, col(Approvals.approval) == _param("approval"))
APPROVALS_OF_RUN = (
    select(Approvals).where(col(Approvals.tenant_id) == _tenant, col(Approvals.run) == _run).order_by(col(Approvals.opened_at))
)
DECISION = select(Decisions).where(col(Decisions.tenant_id) == _tenant, col(Decisions.decision_id) == _param("decision"))
UNSETTLED_DECISIONS = (
    select(Decisions)
    .where(
        col(Decisions.tenant_id) == _tenant,
        col(Decisions.state) == literal_column("'stored'"),
        col(Decisions.stored_at) < _seconds_ago,
    )
    .order_by(col(Decisions.stored_at))
    .limit(_limit)
)
TASK = select(Tasks).where(col(Tasks.tenant_id) == _tenant, col(Tasks.task) == _param("task"))
TASK_PAGE = (
    select(Tasks)
    .where(
        col(Tasks.tenant_id) == _tenant,
        or_(bindparam("state", type_=Text()).is_(None), col(Tasks.state) == _param("state")),
        tuple_(col(Tasks.opened_at), col(Tasks.task)) > tuple_(_param("opened_at"), _param("task")),
    )
    .order_by(col(Tasks.opened_at), col(Tasks.task))
    .limit(_limit)
)
TASKS_OF_RUN = select(Tasks).where(col(Tasks.tenant_id) == _tenant, col(Tasks.run) == _run)
UNDELIVERED_TASKS = (
    select(Tasks)
    .where(col(Tasks.tenant_id) == _tenant, ~col(Tasks.delivered))
    .order_by(col(Tasks.opened_at), col(Tasks.task))
    .limit(_limit)
)

# The Merkle log

TREE_HEAD = select(TreeHeads).where(col(TreeHeads.tenant_id) == _tenant, col(TreeHeads.tree_size) == _param("tree_size"))
TREE_HEAD_PAGE = (
    select(TreeHeads)
    .where(col(TreeHeads.tenant_id) == _tenant, col(TreeHeads.tree_size) < _param("before"))
    .order_by(col(TreeHeads.tree_size).desc())
    .limit(_limit)
)
TREE_MILESTONES = (
    select(TreeHeads)
    .where(
        col(TreeHeads.tenant_id) == _tenant,
        col(TreeHeads.tree_size).in_(
            select(func.max(TreeHeads.tree_size)).where(col(TreeHeads.tenant_id) == _tenant).group_by(col(TreeHeads.key_id))
        ),
    )
    .order_by(col(TreeHeads.tree_size))
)
SIGNING_KEYS = select(SigningKeys).where(col(SigningKeys.tenant_id) == _tenant).order_by(col(SigningKeys.generation))
LEAVES_OF_RUN = (
    select(LedgerLeaves)
    .where(
        col(LedgerLeaves.tenant_id) == _tenant,
        col(LedgerLeaves.run) == _run,
        col(LedgerLeaves.seq) > _param("after"),
        col(LedgerLeaves.leaf_index) < bindparam("tree_size", type_=BigInteger()),
    )
    .order_by(col(LedgerLeaves.seq))
    .limit(_limit)
)

# Data subjects: erasures, terms and holds

ERASURE = select(Erasures).where(col(Erasures.tenant_id) == _tenant, col(Erasures.erasure) == _param("erasure"))
ERASURE_PAGE = (
    select(Erasures)
    .where(
        col(Erasures.tenant_id) == _tenant,
        tuple_(col(Erasures.requested_at), col(Erasures.erasure)) > tuple_(_param("requested_at"), _param("erasure")),
    )
    .order_by(col(Erasures.requested_at), col(Erasures.erasure))
    .limit(_limit)
)
RETENTION_RULES = select(RetentionRules).where(col(RetentionRules.tenant_id) == _tenant).order_by(col(RetentionRules.definition))
LEGAL_HOLD = select(LegalHolds).where(col(LegalHolds.tenant_id) == _tenant, col(LegalHolds.hold) == _param("hold"))
LEGAL_HOLDS = (
    select(LegalHolds)
    .where(col(LegalHolds.tenant_id) == _tenant, or_(bindparam("all"), col(LegalHolds.released_at).is_(None)))
    .order_by(col(LegalHolds.placed_at), col(LegalHolds.hold))
)
