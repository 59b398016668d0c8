"""Tools in sandboxes at registration: what cannot run is refused there, and nothing is stored."""

import pytest
from pydantic import JsonValue

from adapters.definitions.documents import read_document
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.sandboxes.select import SandboxRouter
from api.tool_deps import ToolDeps
from tests.api.gateway import CLAIM, Gateway, gateway
from tests.fake_sandbox import FakeSandbox
from wiring.tools import ProfiledSandboxes

CONVERT: dict[str, JsonValue] = {
    "kind": "container",
    "name": "claims.convert",
    "description": "Converts a claim.",
    "input": {"type": "object"},
    "effect_class": "none",
    "command": ["convert"],
}
BUNDLED = """
kind: container
name: claims.convert
description: Converts a claim.
input: {type: object}
effect_class: none
command: [convert]
"""
CONVERTS = CLAIM.replace("name: delay-claim", "name: converted").replace("\noutput:", "\n  - convert: {call: claims.convert}\noutput:")


def house(missing: str | None) -> Gateway:
    """A gateway beside whose workers Docker is there, or missing."""
    router = SandboxRouter({"docker": FakeSandbox(missing_reason=missing)})
    made = gateway()
    tools = ToolDeps(
        store=made.stores.tools,
        audit=made.stores.tool_audit,
        anomalies=made.stores.tool_audit,
        read_document=read_document,
        gate=ProfiledSandboxes(router, DEFAULT_PROFILES, same_machine=True),
    )
    return gateway(tools=tools)


class TestRegisteringAToolOfASandbox:
    @pytest.mark.parametrize("way", ["alone", "in a bundle"])
    def test_is_refused_with_what_to_install(self, way: str) -> None:
        built = house("no Docker daemon answers: install Docker")
        if way == "alone":
            answer = built.client("admin").post("/v1/tools", json={"tools": [CONVERT]}, headers={"Idempotency-Key": "k1"})
        else:
            files = {"definition.yaml": CONVERTS, "tools/convert.yaml": BUNDLED}
            answer = built.client("developer").post("/v1/definitions", json={"files": files}, headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json()["code"]) == (422, "sandbox-unavailable"), answer.text
        assert "install Docker" in answer.json()["detail"]
        listed = built.client("viewer").get("/v1/tools").json()["items"]
        assert "claims.convert" not in [tool["name"] for tool in listed]
        assert "converted" not in built.client("viewer").get("/v1/definitions").text

    @pytest.mark.parametrize("way", ["alone", "in a bundle"])
    def test_passes_where_its_sandbox_is(self, way: str) -> None:
        built = house(None)
        if way == "alone":
            answer = built.client("admin").post("/v1/tools", json={"tools": [CONVERT]}, headers={"Idempotency-Key": "k1"})
        else:
            files = {"definition.yaml": CONVERTS, "tools/convert.yaml": BUNDLED}
            answer = built.client("developer").post("/v1/definitions", json={"files": files}, headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 201, answer.text

    def test_tells_the_key_that_was_meant(self) -> None:
        files = {"definition.yaml": CONVERTS, "tools/convert.yaml": BUNDLED.replace("command:", "comand:")}
        answer = house(None).client("developer").post("/v1/definitions", json={"files": files}, headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 422
        assert "unknown key `comand`" in answer.text
        assert "tools/convert.yaml:7" in answer.text
