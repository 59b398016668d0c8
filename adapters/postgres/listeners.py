"""Steps that listen for signals from outside."""

from psycopg.errors import ForeignKeyViolation

from adapters.postgres.hook_queries import KEEP_LISTENER
from adapters.postgres.pool import Database
from domain.errors import NotFound
from domain.signals import ListenerProjection


class PostgresListenerStore:
    """Implements `ListenerStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, tenant: str, run: str, listener: ListenerProjection, *, epoch: int, fact_seq: int) -> None:
        """Open or close a listener; what was said at a later (epoch, fact_seq) stays.

        Raises:
            NotFound: there is no such run.
        """
        fields = {**listener.model_dump(), "tenant": tenant, "run": run, "epoch": epoch, "fact_seq": fact_seq}
        try:
            async with self._db.tenant(tenant) as tx:
                await tx.execute(KEEP_LISTENER, fields)
        except ForeignKeyViolation as unknown:
            raise NotFound(f"there is no run {run}") from unknown
