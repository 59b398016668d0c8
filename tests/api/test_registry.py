"""Definitions and tools over HTTP."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from adapters.definitions.yaml_reader import YamlBundleReader
from domain.agents import NO_AGENTS, AgentChoice
from domain.model_table import NO_ALIASES, ModelTable
from domain.registry import DefinitionDraft, Problem
from domain.tools import ToolSpec
from tests.api.gateway import CLAIM, PAY, Gateway, gateway

OTHER = CLAIM.replace("name: delay-claim", "name: refund-claim")


def register(house: Gateway, files: dict[str, str], *, who: str = "developer") -> httpx2.Response:
    return house.client(who).post("/v1/definitions", json={"files": files})


class TestRegisteredBundle:
    def test_is_201_with_its_versions(self, house: Gateway) -> None:
        answer = register(house, {"claim.yaml": OTHER})
        (said,) = answer.json()["definitions"]
        assert (answer.status_code, said["name"], said["version"]) == (201, "refund-claim", "1.0.0")
        assert said["registered_by"] == house.principals["developer"].id

    def test_can_be_started_at_once(self, house: Gateway) -> None:
        register(house, {"claim.yaml": OTHER})
        assert house.start(definition="refund-claim")

    def test_with_the_same_content_again_changes_nothing(self, house: Gateway) -> None:
        first, again = (register(house, {"claim.yaml": OTHER}).json() for _ in range(2))
        assert first == again

    def test_may_be_a_pre_release_of_a_version_that_is_there(self, house: Gateway) -> None:
        changed = CLAIM.replace("version: 1.0.0", "version: 1.0.0-rc.1").replace("limit: 200", "limit: 300")
        assert changed != CLAIM
        assert register(house, {"claim.yaml": changed}).status_code == 201
        assert house.client("viewer").get("/v1/definitions/delay-claim?version=1.0.0-rc.1").json()["version"] == "1.0.0-rc.1"
        assert house.client("viewer").get("/v1/definitions/delay-claim?version=1.0.0-rc.2").status_code == 404

    def test_is_shown_with_its_document(self, house: Gateway) -> None:
        register(house, {"claim.yaml": OTHER.replace("1.0.0", "1.2.0")})
        register(house, {"claim.yaml": OTHER})
        client = house.client("viewer")
        assert client.get("/v1/definitions/refund-claim").json()["version"] == "1.2.0"
        assert client.get("/v1/definitions/refund-claim?version=~1.0").json()["document"]["name"] == "refund-claim"
        assert [one["version"] for one in client.get("/v1/definitions").json()["items"]] == ["1.0.0", "1.2.0", "1.0.0"]

    def test_is_nobody_elses(self, house: Gateway) -> None:
        assert house.client("stranger").get("/v1/definitions").json()["items"] == []
        assert house.client("stranger").get("/v1/definitions/delay-claim").status_code == 404


class LongReader(YamlBundleReader):
    """Reads a bundle once it is told to go on."""

    def __init__(self) -> None:
        self.reading, self.go_on = threading.Event(), threading.Event()

    def read(
        self, files: dict[str, str], *, tools: list[ToolSpec], agents: AgentChoice = NO_AGENTS, models: ModelTable = NO_ALIASES
    ) -> tuple[list[DefinitionDraft], list[Problem]]:
        self.reading.set()
        assert self.go_on.wait(60)
        return super().read(files, tools=tools, agents=agents, models=models)


class TestLongBundle:
    def test_keeps_no_other_request_waiting_while_it_is_read(self) -> None:
        reader = LongReader()
        with gateway(bundle_reader=reader).client("developer") as client, ThreadPoolExecutor(1) as other:
            registered = other.submit(client.post, "/v1/definitions", json={"files": {"claim.yaml": OTHER}})
            assert reader.reading.wait(60)
            assert client.get("/livez").status_code == 200
            reader.go_on.set()
            assert registered.result().status_code == 201


class TestRefusedBundle:
    def test_tells_every_mistake_with_file_line_and_column(self, house: Gateway) -> None:
        broken = OTHER.replace("call: bank.pay", "call: bank.rob").replace("config.limit", "config.limits")
        answer = register(house, {"flows/claim.yaml": broken})
        said = answer.json()
        assert (answer.status_code, said["code"]) == (422, "invalid-definition")
        assert said["errors"]
        assert all(mistake["where"].startswith("flows/claim.yaml:") for mistake in said["errors"])
        assert "bank.rob" in said["detail"]

    def test_of_broken_yaml_says_where(self, house: Gateway) -> None:
        said = register(house, {"claim.yaml": "standfast: 1\n  name: [x\n"}).json()
        assert (said["code"], said["errors"][0]["where"].startswith("claim.yaml:")) == ("invalid-definition", True)

    def test_with_a_version_that_exists_with_other_content_is_409_and_registers_none_of_it(self, house: Gateway) -> None:
        changed = CLAIM.replace("limit: 200", "limit: 300")
        answer = register(house, {"a.yaml": OTHER, "b.yaml": changed})
        assert (answer.status_code, answer.json()["code"]) == (409, "version-exists")
        assert house.client("viewer").get("/v1/definitions/refund-claim").status_code == 404

    @pytest.mark.parametrize("path", ["/etc/passwd", "../x.yaml", "a/../b.yaml", "a//b.yaml", "a\\b.yaml", "./a.yaml", "a\n.yaml"])
    def test_with_a_path_that_leaves_it_is_422(self, house: Gateway, path: str) -> None:
        answer = register(house, {path: OTHER})
        assert (answer.status_code, answer.json()["errors"][0]["instead"] != "") == (422, True)

    @pytest.mark.parametrize("body", [{}, {"files": {}}, {"files": []}, {"files": {"a.yaml": 1}}, {"files": {"a.yaml": ""}, "force": True}])
    def test_that_breaks_the_bodys_schema_is_422(self, house: Gateway, body: dict[str, object]) -> None:
        assert house.client("developer").post("/v1/definitions", json=body).status_code == 422


class TestTools:
    def test_are_listed_with_their_schemas_and_classes(self, house: Gateway) -> None:
        [listed] = house.client("viewer").get("/v1/tools").json()["items"]
        assert listed.items() >= PAY.model_dump(mode="json").items()
