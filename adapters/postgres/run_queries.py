"""The SQL of runs: selects compiled from the tables, and the writes that need more than SQLModel says."""

from sqlalchemy import Float, Text, bindparam, exists, func, literal_column, or_, tuple_
from sqlmodel import col, select

from adapters.postgres.reads import compiled, param
from adapters.postgres.tables import Effects, Payloads, Runs
from adapters.postgres.tables_lineage import Continuations

_run = Runs
_of_tenant = col(_run.tenant_id) == param("tenant")
_seconds_ago = func.clock_timestamp() - bindparam("seconds", type_=Float()) * literal_column("interval '1 second'")

RUN_BY_ID = compiled(select(_run).where(_of_tenant, col(_run.run) == param("run")))

RUN_PAGE = compiled(
    select(_run)
    .where(
        _of_tenant,
        or_(bindparam("any_status"), col(_run.status) == func.any(bindparam("statuses"))),
        or_(bindparam("definition", type_=Text()).is_(None), col(_run.definition) == param("definition")),
        tuple_(col(_run.created_at), col(_run.run)) < tuple_(param("created_at"), param("run")),
    )
    .order_by(col(_run.created_at).desc(), col(_run.run).desc())
    .limit(bindparam("limit"))
)

OLD_ACCEPTED = compiled(
    select(_run)
    .where(
        _of_tenant,
        col(_run.status) == literal_column("'accepted'"),
        col(_run.epoch).is_(None),
        col(_run.created_at) < _seconds_ago,
        col(_run.parent_run).is_(None),
    )
    .order_by(col(_run.created_at))
    .limit(bindparam("limit"))
)

OPEN_RUNS = compiled(
    select(_run)
    .where(
        _of_tenant,
        col(_run.closed_at).is_(None),
        col(_run.epoch).is_not(None),
        col(_run.updated_at) < _seconds_ago,
        ~exists().where(
            col(Continuations.tenant_id) == col(_run.tenant_id),
            col(Continuations.run) == col(_run.run),
            col(Continuations.started_at).is_(None),
        ),
    )
    .order_by(col(_run.updated_at))
    .limit(bindparam("limit"))
)

PAYLOAD_OF_RUN = compiled(
    select(Payloads).where(col(Payloads.tenant_id) == param("tenant"), col(Payloads.ref) == func.any(bindparam("refs")))
)

EFFECTS_OF_RUN = compiled(
    select(Effects)
    .where(col(Effects.tenant_id) == param("tenant"), col(Effects.run) == param("run"))
    .order_by(col(Effects.started_at), col(Effects.step), col(Effects.visit), col(Effects.call))
)

INSERT_RUN = b"""
INSERT INTO runs (tenant_id, run, definition, version, definition_sha256, principal, correlation_id, fingerprint, expression_engine,
    status, input_ref, config_ref, subject, subject_key)
VALUES (%(tenant)s, %(run)s, %(definition)s, %(version)s, %(definition_sha256)s, %(principal)s, %(correlation_id)s, %(fingerprint)s,
    %(expression_engine)s, 'accepted', %(input_ref)s, %(config_ref)s, %(subject)s, %(subject_key)s)
ON CONFLICT (tenant_id, run) DO NOTHING
RETURNING created_at
"""

EXPIRE_OR_CLOSE = b"""
UPDATE runs SET status = %(status)s, reason = %(reason)s, closed_at = clock_timestamp(), updated_at = clock_timestamp(), waits_for = NULL
WHERE tenant_id = %(tenant)s AND run = %(run)s AND closed_at IS NULL AND (NOT %(expires)s OR epoch IS NULL)
    AND epoch IS NOT DISTINCT FROM %(epoch)s
RETURNING epoch, correlation_id
"""
