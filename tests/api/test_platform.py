"""Probes, and the API's own description."""

import re

import pytest

from api.gate import MUTATIONS
from api.permissions import PERMISSIONS
from api.snapshot import SNAPSHOT, rendered
from domain.errors import Unavailable
from tests.api.gateway import Gateway, gateway


async def works() -> None:
    """A part that answers."""


async def fails() -> None:
    raise Unavailable("password=hunter2 does not answer")


MCP = "/mcp"
"""No route of OpenAPI: its requests speak MCP, and each tool that changes something takes a key as an argument."""


class TestProbes:
    def test_alive_asks_nobody(self) -> None:
        assert gateway(ready_checks={"postgres": fails}).client(None).get("/livez").json() == {"status": "alive"}

    def test_ready_names_what_was_asked(self) -> None:
        answer = gateway(ready_checks={"postgres": works, "temporal": works}).client(None).get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": {"postgres": "ok", "temporal": "ok"}})

    def test_not_ready_names_the_part_and_no_more(self) -> None:
        answer = gateway(ready_checks={"postgres": works, "temporal": fails}).client(None).get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert [mistake["where"] for mistake in answer.json()["errors"]] == ["temporal"]
        assert "hunter2" not in answer.text


class TestReferencePage:
    @pytest.mark.parametrize("path", ["/docs", "/docs/reference.js", "/docs/reference.css"])
    def test_asks_no_other_host(self, house: Gateway, path: str) -> None:
        answer = house.client(None).get(path)
        assert answer.status_code == 200
        assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", answer.text) == []
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")

    def test_links_only_files_there_are(self, house: Gateway) -> None:
        client = house.client(None)
        linked = re.findall(r'(?:href|src)="(/[^"]+)"', client.get("/docs").text)
        assert linked
        assert {client.get(path).status_code for path in linked} == {200}

    def test_serves_no_other_file(self, house: Gateway) -> None:
        assert [house.client(None).get(f"/docs/{name}").status_code for name in ("reference.html", "..%2fapp.py", "app.py")] == [
            404,
            404,
            404,
        ]

    def test_never_parses_the_document_as_html(self, house: Gateway) -> None:
        script = house.client(None).get("/docs/reference.js").text
        assert "innerHTML" not in script
        assert "eval(" not in script


class TestOpenApi:
    def test_is_the_recorded_one(self) -> None:
        assert SNAPSHOT.read_text(encoding="utf-8") == rendered(), "the API changed: run `python -m api.snapshot` and review the difference"

    def test_is_served_as_it_is_recorded(self, house: Gateway) -> None:
        document = house.client(None).get("/openapi.json").json()
        assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "Standfast")

    def test_says_of_every_operation_what_it_does_who_may_and_how_it_fails(self, house: Gateway) -> None:
        document = house.client(None).get("/openapi.json").json()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                assert operation["description"].strip(), path
                assert "Raises" not in operation["description"]
                assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}
                assert ("security" in operation) is path.startswith("/v1")

    def test_offers_an_idempotency_key_on_every_mutation(self, house: Gateway) -> None:
        document = house.client(None).get("/openapi.json").json()
        mutations = [(method, path) for method, path in PERMISSIONS if method in MUTATIONS and path != MCP]
        assert mutations
        for method, path in mutations:
            assert "Idempotency-Key" in [one["name"] for one in document["paths"][path][method.lower()]["parameters"]], (method, path)

    def test_resolves_all_its_references(self, house: Gateway) -> None:
        answer = house.client(None).get("/openapi.json")
        schemas = answer.json()["components"]["schemas"]
        assert set(re.findall(r'"#/components/schemas/([^"]+)"', answer.text)) <= schemas.keys()
