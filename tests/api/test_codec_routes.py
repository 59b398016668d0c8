"""The codec server: the gateway's own keys, exact origins, and the local Web UI in development."""

import httpx2
import pytest
from fastapi.testclient import TestClient

from tests.api.gateway import UI_ORIGIN, Gateway, gateway


def decode(house: Gateway, who: str | None, tenant: str = "default", **headers: str) -> httpx2.Response:
    return house.client(who).post("/codec/decode", json={"tenant": tenant}, headers=headers)


def ui(house: Gateway, *, address: str, origin: str = UI_ORIGIN) -> httpx2.Response:
    """Ask as a Web UI without a key, from `address`."""
    client = TestClient(house.app, client=(address, 50000))
    return client.post("/codec/decode", json={"tenant": "default"}, headers={"Origin": origin})


class TestDecode:
    @pytest.mark.parametrize("who", ["operator", "developer", "auditor", "admin"])
    def test_opens_payloads_of_the_callers_tenant(self, house: Gateway, who: str) -> None:
        assert decode(house, who).json() == {"opened": "default"}

    def test_of_another_tenant_is_403(self, house: Gateway) -> None:
        assert decode(house, "stranger").status_code == 403

    @pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("approver", 403), (None, 401)])
    def test_needs_a_key_and_a_role(self, house: Gateway, who: str | None, status: int) -> None:
        assert decode(house, who).status_code == status

    def test_answers_the_uis_origin_with_cors_headers_even_when_it_refuses(self, house: Gateway) -> None:
        for answer in (decode(house, "operator", Origin=UI_ORIGIN), decode(house, None, Origin=UI_ORIGIN)):
            assert answer.headers["access-control-allow-origin"] == UI_ORIGIN
            assert answer.headers["vary"] == "Origin"

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8233.evil.example", "HTTP://LOCALHOST:8233"])
    def test_answers_no_other_origin_with_them(self, house: Gateway, origin: str) -> None:
        assert "access-control-allow-origin" not in decode(house, "operator", Origin=origin).headers


class TestPreflight:
    @pytest.mark.parametrize("path", ["/codec/decode", "/codec/encode"])
    def test_allows_what_the_ui_sends(self, house: Gateway, path: str) -> None:
        answer = house.client(None).options(path, headers={"Origin": UI_ORIGIN, "Access-Control-Request-Method": "POST"})
        allowed = answer.headers["access-control-allow-headers"]
        assert (answer.status_code, answer.headers["access-control-allow-methods"]) == (204, "POST")
        assert {"content-type", "x-namespace", "authorization"} <= set(allowed.split(","))


class TestLocalUi:
    def test_reads_without_a_key_where_development_allows_it(self) -> None:
        house = gateway(codec_loopback_tenants=("default",))
        assert ui(house, address="127.0.0.1").json() == {"opened": "default"}
        assert ui(house, address="::1").status_code == 200

    @pytest.mark.parametrize(
        ("address", "origin"), [("10.0.0.7", UI_ORIGIN), ("127.0.0.1", "http://evil.example"), ("testclient", UI_ORIGIN)]
    )
    def test_is_neither_another_machine_nor_another_page(self, address: str, origin: str) -> None:
        house = gateway(codec_loopback_tenants=("default",))
        assert ui(house, address=address, origin=origin).status_code == 401

    def test_needs_a_key_in_production(self, house: Gateway) -> None:
        assert ui(house, address="127.0.0.1").status_code == 401


class TestEncode:
    def test_seals_for_a_run_of_the_caller(self, house: Gateway) -> None:
        run = house.start()
        answer = house.client("operator").post("/codec/encode", json={"a": 1}, headers={"X-Workflow-Id": run})
        assert answer.json() == {"sealed": {"a": 1}, "tenant": "default", "for": run}

    def test_for_a_run_of_another_tenant_is_404(self, house: Gateway) -> None:
        assert house.client("stranger").post("/codec/encode", json={}, headers={"X-Workflow-Id": house.start()}).status_code == 404

    def test_for_no_run_is_400(self, house: Gateway) -> None:
        assert house.client("operator").post("/codec/encode", json={}).status_code == 400

    def test_needs_an_operator(self, house: Gateway) -> None:
        assert house.client("auditor").post("/codec/encode", json={}, headers={"X-Workflow-Id": house.start()}).status_code == 403
