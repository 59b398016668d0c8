"""Payloads apart from the ledger, sealed (DESIGN §6)."""

from pydantic import JsonValue

from adapters.postgres.pool import Database
from adapters.postgres.select_texts import PAYLOAD_OF_RUN
from adapters.postgres.vault import Vault
from domain.errors import ReferenceMissing
from domain.stores import PayloadCipher


class PostgresPayloadStore:
    """Implements `PayloadStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)

    async def get(self, tenant: str, ref: str) -> JsonValue:
        """Return a stored value.

        Raises:
            ReferenceMissing: the row or its key is gone, or its bytes or place changed.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(PAYLOAD_OF_RUN, {"tenant": tenant, "refs": [ref]})
        if row is None:
            raise ReferenceMissing(f"the payload {ref} is missing or erased")
        return await self._vault.open(tenant, row["run"], ref, row["sealed"])

    async def put(self, tenant: str, run: str, value: JsonValue) -> str:
        """Store a value and return its reference.

        Raises:
            InvalidInput: it has no canonical form.
        """
        payload = await self._vault.seal(tenant, run, value)
        async with self._db.tenant(tenant) as tx:
            await tx.execute(
                "INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (%s, %s, %s, %s)", [tenant, payload.ref, run, payload.sealed]
            )
        return payload.ref
