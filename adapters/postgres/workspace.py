"""Workspaces of runs: contents are payloads, names stand sealed beside them (domain/workspace.py)."""

import base64
import hashlib
import json
from typing import cast

from psycopg.types.numeric import Int8

from adapters.postgres.pool import Database, Row
from adapters.postgres.values import rfc3339
from adapters.postgres.vault import Vault
from domain.canonical import digest_hex
from domain.errors import InvalidInput, NotFound
from domain.stores import PayloadCipher
from domain.workspace import FILES_MAX, RUN_BYTES_MAX, WorkspaceFile

_LOCK = b"SELECT pg_advisory_xact_lock(hashtextextended('workspace/' || %(tenant)s || '/' || %(run)s, 0))"
_TOTAL = b"""
SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes FROM workspace_files
WHERE tenant_id = %(tenant)s AND run = %(run)s AND path_digest <> %(digest)s
"""
_PAYLOAD = b"INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (%(tenant)s, %(ref)s, %(run)s, %(sealed)s)"
_WRITE = b"""
INSERT INTO workspace_files (tenant_id, run, path_digest, ref, size, meta_sealed)
VALUES (%(tenant)s, %(run)s, %(digest)s, %(ref)s, %(size)s, %(meta)s)
ON CONFLICT (tenant_id, run, path_digest) DO UPDATE
    SET ref = excluded.ref, size = excluded.size, meta_sealed = excluded.meta_sealed, written_at = clock_timestamp()
RETURNING written_at
"""
_READ = b"""
SELECT f.ref, p.sealed FROM workspace_files f LEFT JOIN payloads p ON p.tenant_id = f.tenant_id AND p.ref = f.ref
WHERE f.tenant_id = %(tenant)s AND f.run = %(run)s AND f.path_digest = %(digest)s
"""
_LIST = b"SELECT path_digest, meta_sealed, written_at FROM workspace_files WHERE tenant_id = %(tenant)s AND run = %(run)s"


class PostgresWorkspace:
    """Implements `domain.workspace.Workspace`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)

    async def write(self, tenant: str, run: str, path: str, content: bytes) -> WorkspaceFile:
        """Store a file, or put another in its place.

        Raises:
            InvalidInput: the run has too many files, or too much in them.
        """
        digest = _digest(tenant, run, path)
        payload = await self._vault.seal(tenant, run, base64.b64encode(content).decode())
        cipher = await self._vault.ciphers.of_run(tenant, run)
        about = {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        meta = cipher.seal(tenant, _place(run, digest), json.dumps(about).encode())
        place = {"tenant": tenant, "run": run, "digest": digest, "ref": payload.ref}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_LOCK, place)
            total = await tx.row(_TOTAL, place) or {"files": 0, "bytes": 0}
            if total["files"] >= FILES_MAX or int(total["bytes"]) + len(content) > RUN_BYTES_MAX:
                raise InvalidInput(f"the workspace holds at most {FILES_MAX} files and {RUN_BYTES_MAX} bytes", where="/content")
            await tx.execute(_PAYLOAD, {**place, "sealed": payload.sealed})
            row = cast("Row", await tx.row(_WRITE, {**place, "size": Int8(len(content)), "meta": meta}))
        return WorkspaceFile.model_validate({**about, "written_at": rfc3339(row["written_at"])})

    async def read(self, tenant: str, run: str, path: str) -> bytes:
        """Return a file's content.

        Raises:
            NotFound: the run has no such file.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_READ, {"tenant": tenant, "run": run, "digest": _digest(tenant, run, path)})
        if row is None:
            raise NotFound(f"there is no file {path}")
        return base64.b64decode(str(await self._vault.open(tenant, run, row["ref"], row["sealed"])))

    async def list(self, tenant: str, run: str, folder: str = "") -> list[WorkspaceFile]:
        """Return the files below a folder ('' for all), by path."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_LIST, {"tenant": tenant, "run": run})
        if not rows:
            return []
        cipher = await self._vault.ciphers.of_run(tenant, run)
        files: list[WorkspaceFile] = []
        for row in rows:
            about = json.loads(cipher.open(tenant, _place(run, row["path_digest"]), bytes(row["meta_sealed"])))
            files.append(WorkspaceFile.model_validate({**about, "written_at": rfc3339(row["written_at"])}))
        return sorted((file for file in files if not folder or file.path.startswith(folder + "/")), key=lambda file: file.path)


def _digest(tenant: str, run: str, path: str) -> str:
    return digest_hex("standfast:workspace:v1", {"tenant": tenant, "run": run, "path": path})


def _place(run: str, digest: str) -> str:
    return f"workspace/{run}/{digest}"
