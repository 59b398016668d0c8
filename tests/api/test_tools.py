"""The registry of tools over HTTP: register, import, hold back, grant, and read the audit."""

from copy import deepcopy

import httpx2
import pytest
from pydantic import JsonValue

from domain.tool_anomalies import Anomaly, AnomalyKind
from domain.tool_audit import AuditedCall, CallForm, CallVerdict
from tests.api.gateway import CLAIM, PAY, Gateway, gateway

WEATHER: dict[str, JsonValue] = {
    "kind": "http",
    "name": "weather.now",
    "description": "The weather of a place",
    "method": "GET",
    "url": "https://weather.example/now?place={place}",
    "input": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    "effect_class": "read",
}
LOOK = "  - look: {call: weather.now, with: {place: Oslo}}\n"
NAMES_IT = CLAIM.replace("name: delay-claim", "name: weather-claim").replace("\noutput:", f"\n{LOOK}output:")
DOCUMENT = """
openapi: 3.0.3
info: {title: Pets, version: "1"}
servers: [{url: "https://pets.example/v1"}]
paths:
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, maximum: 9223372036854775807}}]
    get: {operationId: getPet, responses: {200: {description: ok}}}
    delete: {operationId: removePet}
  /photos:
    post: {operationId: upload, requestBody: {required: true, content: {image/png: {}}}}
"""


@pytest.fixture
def house() -> Gateway:
    return gateway()


def register(house: Gateway, *tools: dict[str, JsonValue], who: str = "developer") -> httpx2.Response:
    return house.client(who).post("/v1/tools", json={"tools": list(tools)})


def say(house: Gateway, what: str, *, tool: str = "weather.now/1.0.0", who: str = "operator") -> httpx2.Response:
    return house.client(who).post(f"/v1/tools/{tool}/{what}", json={"reason": "it answers nonsense"})


class TestRegisteredTool:
    def test_is_listed_with_those_of_the_workers_and_shown_whole(self, house: Gateway) -> None:
        answer = register(house, WEATHER)
        assert answer.status_code == 201
        listed = house.client("viewer").get("/v1/tools").json()["items"]
        assert [(one["name"], one["source"]) for one in listed] == [(PAY.name, "installed"), ("weather.now", "registered")]
        shown = house.client("viewer").get("/v1/tools/weather.now").json()
        assert shown["declaration"] == WEATHER
        assert (shown["kind"], shown["egress"], shown["registered_by"]) == ("http", ["weather.example"], house.principals["developer"].id)

    def test_is_found_by_a_definition_and_travels_with_its_runs(self, house: Gateway) -> None:
        assert house.client("developer").post("/v1/definitions", json={"files": {"a.yaml": NAMES_IT}}).status_code == 422
        register(house, WEATHER)
        assert house.client("developer").post("/v1/definitions", json={"files": {"a.yaml": NAMES_IT}}).status_code == 201
        house.start(definition="weather-claim")
        [started] = house.temporal.started.values()
        assert started.program.tools["weather.now"].declaration == WEATHER

    def test_of_the_same_content_again_is_no_mistake_and_of_another_is_one(self, house: Gateway) -> None:
        assert register(house, WEATHER).json() == register(house, WEATHER).json()
        answer = register(house, {**WEATHER, "description": "Another"})
        assert (answer.status_code, answer.json()["code"]) == (409, "version-exists")

    def test_that_is_wrong_is_refused_with_all_mistakes_and_nothing_is_stored(self, house: Gateway) -> None:
        wrong = {**WEATHER, "url": "https://{place}/now"}
        answer = register(house, {**WEATHER, "name": "weather.later"}, wrong, {**WEATHER, "version": "1"})
        assert answer.status_code == 422
        assert [each["where"] for each in answer.json()["errors"]] == ["/tools/1/url", "/tools/2/version"]
        assert len(house.client("viewer").get("/v1/tools").json()["items"]) == 1

    def test_may_not_take_the_place_of_one_that_workers_bring(self, house: Gateway) -> None:
        answer = register(house, {**WEATHER, "name": PAY.name, "version": PAY.version})
        assert answer.status_code == 422
        assert "bring" in answer.json()["detail"]

    def test_may_be_written_in_yaml(self, house: Gateway) -> None:
        text = "name: weather.now\ndescription: The weather\nmethod: GET\nurl: https://weather.example/now\ninput: {}\neffect_class: read\n"
        answer = house.client("developer").post("/v1/tools", json={"files": {"tools/weather.yaml": text}})
        assert [one["name"] for one in answer.json()["tools"]] == ["weather.now"]
        broken = house.client("developer").post("/v1/tools", json={"files": {"tools/weather.yaml": text.replace("GET", "FETCH")}})
        assert broken.json()["errors"][0]["where"] == "/files/tools/weather.yaml/method"
        assert house.client("developer").post("/v1/tools", json={}).status_code == 422

    def test_is_nobody_elses(self, house: Gateway) -> None:
        register(house, WEATHER)
        stranger = house.client("stranger")
        assert stranger.get("/v1/tools/weather.now").status_code == 404
        assert stranger.post("/v1/tools/weather.now/1.0.0/quarantine", json={"reason": "x"}).status_code == 404


class TestImport:
    def test_makes_a_tool_of_each_operation_that_can_be_one(self, house: Gateway) -> None:
        answer = house.client("developer").post("/v1/tools/openapi", json={"document": DOCUMENT})
        assert answer.status_code == 201, answer.text
        assert [(one["name"], one["effect_class"], one["retry_class"]) for one in answer.json()["tools"]] == [
            ("pets.get_pet", "read", "idempotent"),
            ("pets.remove_pet", "write", "at_most_once"),
        ]
        assert answer.json()["skipped"] == [{"operation": "POST /photos", "reason": "it takes a body that is not JSON"}]
        assert house.client("viewer").get("/v1/tools/pets.get_pet").status_code == 200

    def test_on_trial_stores_nothing(self, house: Gateway) -> None:
        answer = house.client("developer").post("/v1/tools/openapi", json={"document": DOCUMENT, "dry_run": True})
        assert answer.json()["tools"][0]["declaration"]["url"] == "https://pets.example/v1/pets/{id}"
        assert house.client("viewer").get("/v1/tools/pets.get_pet").status_code == 404

    @pytest.mark.parametrize(
        ("document", "said"),
        [("[1", "broken YAML"), ("swagger: '2.0'", "Swagger"), ("openapi: 3.1.0\npaths: {}\n", "address"), ("a: &a [*a]", "")],
    )
    def test_of_something_else_is_refused_with_the_reason(self, house: Gateway, document: str, said: str) -> None:
        answer = house.client("developer").post("/v1/tools/openapi", json={"document": document})
        assert answer.status_code == 422
        assert said in answer.text


class TestQuarantine:
    def test_is_told_with_who_and_why_until_a_person_releases_it(self, house: Gateway) -> None:
        register(house, WEATHER)
        shown = say(house, "quarantine").json()
        assert (shown["state"], shown["changes"][0]["reason"]) == ("quarantined", "it answers nonsense")
        released = say(house, "release").json()
        assert (released["state"], len(released["changes"])) == ("active", 2)

    def test_twice_is_one_change(self, house: Gateway) -> None:
        register(house, WEATHER)
        say(house, "quarantine")
        assert len(say(house, "quarantine").json()["changes"]) == 1

    def test_holds_tools_of_the_workers_back_too(self, house: Gateway) -> None:
        assert say(house, "quarantine", tool=f"{PAY.name}/{PAY.version}").json()["state"] == "quarantined"

    def test_of_an_unknown_version_is_404_with_what_there_is(self, house: Gateway) -> None:
        register(house, WEATHER)
        answer = say(house, "quarantine", tool="weather.new/1.0.0")
        assert (answer.status_code, "weather.now" in answer.json()["detail"]) == (404, True)

    def test_a_retired_version_is_named_by_no_new_definition(self, house: Gateway) -> None:
        register(house, WEATHER)
        say(house, "retire", who="developer")
        assert house.client("developer").post("/v1/definitions", json={"files": {"a.yaml": NAMES_IT}}).status_code == 422
        assert len(house.client("viewer").get("/v1/tools").json()["items"]) == 1
        assert len(house.client("viewer").get("/v1/tools?all=true").json()["items"]) == 2


class TestGrant:
    def test_closes_its_tools_to_definitions_that_it_does_not_name(self, house: Gateway) -> None:
        register(house, WEATHER)
        granted = house.client("admin").post("/v1/tool-grants", json={"tools": ["weather.*"], "agents": ["claims/review"]})
        assert granted.status_code == 201
        refused = house.client("developer").post("/v1/definitions", json={"files": {"a.yaml": NAMES_IT}})
        assert (refused.status_code, "no grant lets a step call" in refused.text) == (422, True)
        house.client("admin").post("/v1/tool-grants", json={"tools": ["weather.now"], "agents": ["steps"]})
        assert house.client("developer").post("/v1/definitions", json={"files": {"a.yaml": NAMES_IT}}).status_code == 201

    def test_taken_back_leaves_its_tools_closed(self, house: Gateway) -> None:
        register(house, WEATHER)
        grant = house.client("admin").post("/v1/tool-grants", json={"tools": ["weather.now"]}).json()["grant"]
        assert house.client("admin").post(f"/v1/tool-grants/{grant}/revoke").json()["revoked_at"] is not None
        assert house.client("developer").post("/v1/definitions", json={"files": {"a.yaml": NAMES_IT}}).status_code == 422
        assert house.client("stranger").post(f"/v1/tool-grants/{grant}/revoke").status_code == 404


class TestAudit:
    def test_is_filtered_and_paged_within_the_tenant(self, house: Gateway) -> None:
        call = AuditedCall(
            run="run_1",
            seq=4,
            step="settle",
            call="call",
            tool="bank.pay",
            version="1.0.0",
            agent=None,
            principal="prn_1",
            verdict=CallVerdict.ALLOWED,
            code=None,
            attempt=1,
            arguments_digest="a",
            result_digest="b",
            cost_usd_micros=0,
            form=CallForm(),
            at="2026-01-02T03:04:05.000000Z",
        )
        denied = deepcopy(call).model_copy(update={"seq": 9, "verdict": CallVerdict.DENIED})
        house.stores.tool_audit.calls["default"] = [denied, call]
        client = house.client("viewer")
        assert [one["seq"] for one in client.get("/v1/tool-calls?verdict=denied").json()["items"]] == [9]
        first = client.get("/v1/tool-calls?limit=1").json()
        assert [one["seq"] for one in client.get(f"/v1/tool-calls?limit=1&cursor={first['next_cursor']}").json()["items"]] == [4]
        assert client.get("/v1/tool-calls?colour=red").status_code == 422
        assert house.client("stranger").get("/v1/tool-calls").json()["items"] == []

    def test_lists_what_the_watch_found(self, house: Gateway) -> None:
        found = Anomaly(
            kind=AnomalyKind.RATE, run="run_1", seq=4, tool="bank.pay", version="1.0.0", detail="90 calls", at="2026-01-02T03:04:05Z"
        )
        house.stores.tool_audit.found["default"] = [found]
        assert house.client("viewer").get("/v1/tool-anomalies?tool=bank.pay").json()["items"][0]["kind"] == "rate"
