"""Runs that runs start: accepted here under an id that follows from the asking effect, and started by the gateway's sweeper."""

import hashlib

from adapters.postgres.definitions import PostgresDefinitionStore
from adapters.postgres.pool import Database
from adapters.postgres.runs import PostgresRunStore
from domain.canonical import digest_hex
from domain.child_runs import DEPTH_MAX, ChildRequest, ChildRun
from domain.errors import InvalidInput, NotFound, ToolFailed, ToolUnavailable, Unavailable
from domain.expressions import ENGINE
from domain.ids import derive_run_id
from domain.registry import RegisteredDefinition
from domain.schemas import validate
from domain.stores import NewRun, RunRow

_DEPTH = b"SELECT depth FROM child_runs WHERE tenant_id = %s AND run = %s"
_LINK = b"INSERT INTO child_runs (tenant_id, run, parent, depth) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"


class PostgresChildRuns:
    """Implements `domain.child_runs.ChildRuns`; whoever comes second with the same effect finds what the first accepted."""

    def __init__(self, db: Database, runs: PostgresRunStore, definitions: PostgresDefinitionStore) -> None:
        self._db = db
        self._runs = runs
        self._definitions = definitions

    async def start(self, request: ChildRequest) -> ChildRun:
        """Accept the run; it belongs to the parent's principal and data subject.

        Raises:
            ToolFailed: there is no such definition, its input breaks its schema, or runs are nested too deeply.
            ToolUnavailable: the database does not answer.
        """
        try:
            parent = await self._runs.get(request.tenant, request.parent)
            definition = await self._definitions.get(request.tenant, request.definition, request.version)
            if problems := validate(definition.input_schema, request.input):
                raise ToolFailed(f"the input does not fit {definition.name} {definition.version}: {'; '.join(problems)}", where="/input")
            row = await self._accepted(request, parent, definition)
        except NotFound as error:
            raise ToolFailed(error.detail, where="/definition") from error
        except InvalidInput as error:
            raise ToolFailed(error.detail, where=error.where) from error
        except Unavailable as error:
            raise ToolUnavailable(error.detail) from error
        return ChildRun(run=row.run, definition=row.definition, version=row.version, status=row.status.value)

    async def _accepted(self, request: ChildRequest, parent: RunRow, definition: RegisteredDefinition) -> RunRow:
        secret = hashlib.sha256(f"standfast:child-run:v1\0{request.tenant}".encode()).digest()
        run = derive_run_id(secret, request.key)
        new = NewRun(
            tenant=request.tenant,
            run=run,
            definition=definition.name,
            version=definition.version,
            definition_sha256=definition.sha256,
            principal=parent.principal,
            correlation_id=request.correlation_id,
            fingerprint=digest_hex("standfast:child-run:v1", {"parent": parent.run, "key": request.key}),
            input=request.input,
            config={},
            expression_engine=ENGINE,
            subject=parent.subject if parent.subject != parent.run else None,
            input_labels=request.labels,
        )
        async with self._db.tenant(request.tenant) as tx:
            above = await tx.row(_DEPTH, [request.tenant, parent.run])
            depth = 1 + (int(above["depth"]) if above else 0)
            if depth > DEPTH_MAX:
                raise ToolFailed(f"runs that runs started go {DEPTH_MAX} deep, and this one would be deeper")
            await self._runs.accept_within(tx, new)
            await tx.execute(_LINK, [request.tenant, run, parent.run, depth])
        return await self._runs.get(request.tenant, run)
