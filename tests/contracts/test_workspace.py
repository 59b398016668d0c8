"""Workspaces on PostgreSQL and their fake: files of one run, sealed, replaced, bounded, and gone with it."""

import pytest

from adapters.postgres.pool import Database
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.workspace import PostgresWorkspace
from domain.errors import InvalidInput, NotFound
from domain.workspace import FILE_BYTES_MAX, FILES_MAX, Workspace
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.postgres_bench import new_run
from tests.fake_workspace import FakeWorkspace

RUN, OTHER = "run_0000000000000000000000000a", "run_0000000000000000000000000b"


@pytest.fixture(params=["fake", *VERSIONS])
async def workspace(request: pytest.FixtureRequest, servers: Servers, tenant: str):  # noqa: ANN201 - a fixture's generator
    """A workspace with two runs."""
    if request.param == "fake":
        yield FakeWorkspace()
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as db:
        for run in (RUN, OTHER):
            await PostgresRunStore(db, XorCipher()).accept(new_run(tenant, run))
        yield PostgresWorkspace(db, XorCipher())


class TestWorkspace:
    async def test_gives_back_what_was_written(self, workspace: Workspace, tenant: str) -> None:
        written = await workspace.write(tenant, RUN, "notes/a.txt", b"\x00\xff")
        assert (written.path, written.size) == ("notes/a.txt", 2)
        assert await workspace.read(tenant, RUN, "notes/a.txt") == b"\x00\xff"

    async def test_replaces_a_file(self, workspace: Workspace, tenant: str) -> None:
        await workspace.write(tenant, RUN, "a", b"1")
        await workspace.write(tenant, RUN, "a", b"22")
        assert await workspace.read(tenant, RUN, "a") == b"22"
        assert [file.size for file in await workspace.list(tenant, RUN)] == [2]

    async def test_lists_a_folder_by_path(self, workspace: Workspace, tenant: str) -> None:
        for path in ("b/2", "b/1", "bb/1", "c"):
            await workspace.write(tenant, RUN, path, b"")
        assert [file.path for file in await workspace.list(tenant, RUN, "b")] == ["b/1", "b/2"]
        assert len(await workspace.list(tenant, RUN)) == 4

    async def test_is_one_run_s_alone(self, workspace: Workspace, tenant: str) -> None:
        await workspace.write(tenant, RUN, "a", b"1")
        assert await workspace.list(tenant, OTHER) == []
        with pytest.raises(NotFound):
            await workspace.read(tenant, OTHER, "a")
        with pytest.raises(NotFound):
            await workspace.read("somebody", RUN, "a")

    async def test_is_bounded(self, workspace: Workspace, tenant: str) -> None:
        for place in range(16):
            await workspace.write(tenant, RUN, f"big{place}", b"x" * FILE_BYTES_MAX)
        with pytest.raises(InvalidInput, match=str(FILES_MAX)):
            await workspace.write(tenant, RUN, "more", b"x")


async def test_goes_with_the_content_of_its_run(db: Database, tenant: str) -> None:
    await PostgresRunStore(db, XorCipher()).accept(new_run(tenant, RUN))
    workspace = PostgresWorkspace(db, XorCipher())
    await workspace.write(tenant, RUN, "people/ada.txt", b"Ada Lovelace")
    async with db.tenant(tenant) as tx:
        row = await tx.row("SELECT meta_sealed FROM workspace_files WHERE tenant_id = %s", [tenant])
        assert row is not None
        assert b"ada" not in bytes(row["meta_sealed"]), "neither content nor name is stored in clear"
        await tx.execute("UPDATE runs SET erased_at = clock_timestamp() WHERE tenant_id = %s AND run = %s", [tenant, RUN])
        assert await tx.row("SELECT 1 FROM workspace_files WHERE tenant_id = %s", [tenant]) is None
