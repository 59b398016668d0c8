"""`/v1/memory` over HTTP."""

from typing import cast

import pytest

from domain.memory import MemoryRecord
from tests.api.gateway import Gateway
from tests.fake_memory import FakeMemoryDesk

FIRST, SECOND = "mem_" + "a" * 26, "mem_" + "b" * 26


def remember(house: Gateway, tenant: str = "default") -> None:
    """Let a tenant remember two texts, the second in quarantine."""
    desk = cast("FakeMemoryDesk", house.deps.memory)
    for record, quarantine in ((FIRST, None), (SECOND, "suspicious")):
        fields = {"record": record, "namespace": "default", "text": "Ada", "labels": ["model"], "run": "run_1", "quarantine": quarantine}
        desk.records[tenant, record] = MemoryRecord.model_validate({**fields, "saved_at": "2026-01-01T00:00:00Z"})


class TestMemory:
    def test_is_listed_by_id_page_by_page(self, house: Gateway) -> None:
        remember(house)
        client = house.client("operator")
        page = client.get("/v1/memory?limit=1").json()
        assert [one["record"] for one in page["items"]] == [FIRST]
        rest = client.get(f"/v1/memory?limit=1&cursor={page['next_cursor']}").json()
        assert ([one["record"] for one in rest["items"]], rest["next_cursor"]) == ([SECOND], None)
        assert [one["record"] for one in client.get("/v1/memory?quarantined=true").json()["items"]] == [SECOND]
        assert client.get("/v1/memory?namespace=other").json()["items"] == []

    def test_is_released_and_kept_back(self, house: Gateway) -> None:
        remember(house)
        client = house.client("operator")
        assert client.post(f"/v1/memory/{SECOND}/release").json()["quarantine"] is None
        assert client.post(f"/v1/memory/{SECOND}/quarantine").json()["quarantine"] == "operator"

    def test_is_forgotten(self, house: Gateway) -> None:
        remember(house)
        client = house.client("operator")
        assert client.delete(f"/v1/memory/{FIRST}").status_code == 204
        assert client.delete(f"/v1/memory/{FIRST}").status_code == 404

    def test_of_another_tenant_does_not_exist(self, house: Gateway) -> None:
        remember(house, "another")
        client = house.client("operator")
        assert client.get("/v1/memory").json()["items"] == []
        assert client.post(f"/v1/memory/{FIRST}/release").status_code == 404
        assert client.delete(f"/v1/memory/{FIRST}").status_code == 404

    @pytest.mark.parametrize("path", ["/v1/memory/mem_1/release", "/v1/memory/run_1/release"])
    def test_is_named_by_its_id(self, house: Gateway, path: str) -> None:
        assert house.client("operator").post(path).status_code == 400
