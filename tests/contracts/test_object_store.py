"""The object store port: a local folder, obstore's memory store, and the fake."""

from pathlib import Path

import pytest

from adapters.objects.object_store import local_objects, objects_at
from domain.errors import InvalidInput, ReferenceMissing
from domain.objects import ObjectStore, object_path
from tests.fake_objects import FakeObjects

PATH = object_path("t-1", "run_1", "ab" * 16)


@pytest.fixture(params=["folder", "memory", "fake"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store."""
    if request.param == "folder":
        return local_objects(tmp_path / "objects")
    return objects_at("memory:///") if request.param == "memory" else FakeObjects()


class TestObjectStore:
    async def test_gives_back_what_it_took(self, objects: ObjectStore) -> None:
        await objects.put(PATH, b"\0sealed" * 1000)
        assert await objects.get(PATH) == b"\0sealed" * 1000

    async def test_replaces_what_stands_at_the_same_path(self, objects: ObjectStore) -> None:
        await objects.put(PATH, b"one")
        await objects.put(PATH, b"two")
        assert await objects.get(PATH) == b"two"

    async def test_names_a_missing_object(self, objects: ObjectStore) -> None:
        with pytest.raises(ReferenceMissing, match=PATH):
            await objects.get(PATH)

    async def test_deletes_what_is_there_and_bears_what_is_not(self, objects: ObjectStore) -> None:
        await objects.put(PATH, b"one")
        await objects.delete([object_path("t-1", "run_1", "absent"), PATH])
        with pytest.raises(ReferenceMissing):
            await objects.get(PATH)

    async def test_lists_one_folder_and_no_other_of_a_like_name(self, objects: ObjectStore) -> None:
        for run in ("run_1", "run_10", "run_2"):
            await objects.put(object_path("t-1", run, "ref"), run.encode())
        found = [each async for each in objects.under("t-1/run_1")]
        assert [(each.path, each.size) for each in found] == [("t-1/run_1/ref", 5)]
        assert 0 <= found[0].age_s + 1 < 60
        assert sorted([each.path async for each in objects.under("t-1")]) == ["t-1/run_1/ref", "t-1/run_10/ref", "t-1/run_2/ref"]
        assert [each async for each in objects.under("t-9")] == []


class TestUrls:
    def test_a_folder_is_its_owners_alone(self, tmp_path: Path) -> None:
        objects_at(f"file://{tmp_path}/deep/objects")
        assert (tmp_path / "deep/objects").stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize("url", ["s3x://bucket", "objects/here", "ftp://host/x"])
    def test_refuses_what_names_no_store(self, url: str) -> None:
        with pytest.raises(InvalidInput, match="file://, s3://"):
            objects_at(url)
