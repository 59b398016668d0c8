"""`/v1/agents` and `/v1/prompts`: versions, statuses, four eyes, and runs that only approved versions may begin."""

import httpx2
import pytest
from pydantic import JsonValue

from domain.agents import AgentChoice
from domain.registry import DefinitionDraft
from tests.api.gateway import Gateway, gateway

AGENT = """standfast: 1
agent:
  name: reviewer
  version: 1.0.0
  description: Reviews claims.
  model: fake/model
  instructions: strict@^1
  variables: {schema: {type: object, required: [tone], properties: {tone: {type: string}}}}
"""
FILES = {"reviewer.yaml": AGENT, "prompts/strict@1.2.0.md": "Be {{ tone }}.\n"}

USING = """standfast: 1
name: judged
version: 1.0.0
input: {schema: {type: object}}
do:
  - judge:
      agent: {uses: reviewer@^1, input: "${ input }", with: {tone: strict}}
output: "${ steps.judge.output }"
"""


@pytest.fixture
def house() -> Gateway:
    """A gateway in which only approved agents start runs."""
    return gateway()


def register(house: Gateway, who: str = "developer", files: dict[str, str] | None = None, **more: str) -> httpx2.Response:
    """Register the bundle."""
    return house.client(who).post("/v1/agents", json={"files": files or FILES, **more})


def move(house: Gateway, who: str, status: str, *, version: str = "1.0.0") -> httpx2.Response:
    """Move the reviewer."""
    return house.client(who).post(f"/v1/agents/reviewer/{version}/status", json={"status": status, "comment": f"by {who}"})


def approve(house: Gateway) -> None:
    """Bring the reviewer all the way."""
    assert register(house).status_code == 201
    assert move(house, "developer", "review").status_code == 200
    assert move(house, "approver", "approved").status_code == 200


class TestRegistering:
    def test_makes_drafts_and_the_prompts_they_name(self, house: Gateway) -> None:
        made = register(house)
        assert made.status_code == 201, made.text
        [agent], [prompt] = made.json()["agents"], made.json()["prompts"]
        assert (agent["name"], agent["version"], agent["status"]) == ("reviewer", "1.0.0", "draft")
        assert agent["owner"] == agent["registered_by"] == house.principals["developer"].id
        assert (prompt["name"], prompt["version"]) == ("strict", "1.2.0")
        shown = house.client("viewer").get("/v1/prompts/strict").json()
        assert (shown["text"], shown["variables"], shown["sha256"]) == ("Be {{ tone }}.\n", ["tone"], prompt["sha256"])

    def test_changes_nothing_the_second_time_and_refuses_other_content(self, house: Gateway) -> None:
        first = register(house).json()
        assert register(house).json() == first
        for files in (
            {**FILES, "prompts/strict@1.2.0.md": "Be nice to {{ tone }}."},
            {**FILES, "reviewer.yaml": AGENT + "  max_turns: 2\n"},
        ):
            refused = register(house, files=files)
            assert (refused.status_code, refused.json()["code"]) == (409, "version-exists")

    def test_finds_prompts_that_were_registered_before(self, house: Gateway) -> None:
        said = {"name": "strict", "version": "1.9.0", "text": "Be {{ tone }}, always."}
        assert house.client("developer").post("/v1/prompts", json=said).status_code == 201
        assert register(house, files={"reviewer.yaml": AGENT}).status_code == 201
        manifest = house.client("viewer").get("/v1/agents/reviewer").json()["manifest"]
        assert manifest["instructions"]["prompt"]["version"] == "1.9.0"

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (("model: fake/model", "model: a b"), "reviewer.yaml:6:10: `a b` is no model"),
            (("model: fake/model", "model: fake/model\n  fallback: ['${ config.x }']"), "reviewer.yaml:7:14: `${ config.x }` is no model"),
            (
                ("model: fake/model", "model: openai/gpt-5-mini\n  temperature: 0.2"),
                "reviewer.yaml:7:3: `openai/gpt-5-mini` takes no temperature",
            ),
            (("model: fake/model", "model: fake/model\n  fallback: [{model: fake/x, on: [price]}]"), "`max_call_usd`, which is missing"),
            (("model: fake/model", "model: fake/model\n  attachments: [input.photo]"), "unknown key `attachments`"),
            (("  model: fake/model\n", ""), "an agent names one, or there is an alias `default`"),
            (("model: fake/model", "model: gpt"), "reviewer.yaml:6:10: `gpt` is no alias that is set"),
            (("instructions: strict@^1", "instructions: lax"), "there is no prompt `lax`"),
            (("description:", "descripton:"), "unknown key `descripton`"),
            (("version: 1.0.0", "version: one"), "full semantic version"),
            (("required: [tone], properties: {tone:", "properties: {mood:"), "prompts/strict@1.2.0.md:1:1: the prompt reads `tone`"),
            (("  description: Reviews claims.", "  tools: [no.such]"), "there is no tool `no.such`"),
            (("  description: Reviews claims.", "  asks: [Not A Name]"), "name or name@range"),
        ],
    )
    def test_says_where_a_file_is_wrong(self, house: Gateway, change: tuple[str, str], said: str) -> None:
        refused = register(house, files={**FILES, "reviewer.yaml": AGENT.replace(*change)})
        assert refused.status_code == 422
        assert said in refused.json()["detail"]
        assert house.stores.agents.agents == house.stores.agents.texts == {}

    def test_takes_words_for_models_and_says_which_of_theirs_cannot_do_it(self, house: Gateway) -> None:
        asking = AGENT.replace("model: fake/model", "model: fast\n  fallback: [fake/last]\n  temperature: 0.2")
        house.client().put("/v1/models/aliases/fast", json={"model": "openai/gpt-5-mini"})
        refused = register(house, files={**FILES, "reviewer.yaml": asking})
        assert "`openai/gpt-5-mini` takes no temperature, and `fast` stands for it" in refused.json()["detail"]
        house.client().put("/v1/models/aliases/fast", json={"model": "fake/fast"})
        assert register(house, files={**FILES, "reviewer.yaml": asking}).status_code == 201
        manifest = house.client("viewer").get("/v1/agents/reviewer").json()["manifest"]
        assert (manifest["model"], manifest["fallbacks"], manifest["temperature"]) == (
            "fast",
            [{"model": "fake/last", "on": ["overload", "refusal"]}],
            0.2,
        )

    @pytest.mark.parametrize("text", ["{{ tone", "{% set x = 1 %}", "{{ tone.__class__ }}", "{{ cycler() }}"])
    def test_refuses_prompts_that_do_more_than_read(self, house: Gateway, text: str) -> None:
        refused = house.client("developer").post("/v1/prompts", json={"name": "p", "version": "1.0.0", "text": text})
        assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, "/text")

    def test_refuses_an_owner_who_is_nobody(self, house: Gateway) -> None:
        assert register(house, owner="prn_nobody").status_code == 422

    def test_is_for_authors(self, house: Gateway) -> None:
        assert [register(house, who).status_code for who in ("viewer", "operator", "approver")] == [403, 403, 403]


class TestStatus:
    def test_goes_from_draft_over_review_to_approved_by_somebody_else(self, house: Gateway) -> None:
        approve(house)
        shown = house.client("viewer").get("/v1/agents/reviewer?version=^1").json()
        assert shown["status"] == "approved"
        assert [(step["before"], step["after"], step["comment"]) for step in shown["moves"]] == [
            (None, "draft", ""),
            ("draft", "review", "by developer"),
            ("review", "approved", "by approver"),
        ]

    def test_is_never_approved_by_its_owner_or_who_registered_it(self, house: Gateway) -> None:
        assert register(house, "admin", owner=house.principals["approver"].id).status_code == 201
        assert move(house, "admin", "review").status_code == 200
        for who in ("admin", "approver"):
            refused = move(house, who, "approved")
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert "four eyes" in refused.json()["detail"]
        assert move(house, "approver_2", "approved").status_code == 200

    def test_needs_an_approver(self, house: Gateway) -> None:
        register(house)
        move(house, "developer", "review")
        assert move(house, "operator", "approved").status_code == 403

    @pytest.mark.parametrize(("ways", "status"), [([], "approved"), ([], "deprecated"), (["review"], "deprecated"), (["retired"], "draft")])
    def test_leads_only_where_it_may(self, house: Gateway, ways: list[str], status: str) -> None:
        register(house)
        for way in ways:
            assert move(house, "developer", way).status_code == 200
        refused = move(house, "approver", status)
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong-status")

    def test_may_be_ended_at_once_by_an_operator(self, house: Gateway) -> None:
        approve(house)
        assert move(house, "operator", "retired").json()["status"] == "retired"

    def test_stays_when_it_is_there_already(self, house: Gateway) -> None:
        approve(house)
        assert len(move(house, "approver", "approved").json()["moves"]) == 3

    def test_of_another_tenants_agent_is_that_of_none(self, house: Gateway) -> None:
        approve(house)
        stranger = house.client("stranger")
        assert stranger.get("/v1/agents").json()["items"] == stranger.get("/v1/prompts").json()["items"] == []
        answers = [
            stranger.get("/v1/agents/reviewer"),
            stranger.get("/v1/prompts/strict"),
            stranger.post("/v1/agents/reviewer/1.0.0/status", json={"status": "retired"}),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]

    def test_filters_the_list(self, house: Gateway) -> None:
        approve(house)
        register(house, files={**FILES, "reviewer.yaml": AGENT.replace("version: 1.0.0", "version: 1.1.0")})
        listed = {status: house.client().get(f"/v1/agents?status={status}").json()["items"] for status in ("approved", "draft", "retired")}
        assert {status: [item["version"] for item in items] for status, items in listed.items()} == {
            "approved": ["1.0.0"],
            "draft": ["1.1.0"],
            "retired": [],
        }
        assert house.client().get("/v1/agents?name=nobody").json()["items"] == []


class TestDefinition:
    def start(self, house: Gateway) -> httpx2.Response:
        """Start a run of the definition that uses the agent."""
        return house.client("operator").post("/v1/runs", json={"definition": "judged", "input": {}})

    def register(self, house: Gateway, text: str = USING) -> httpx2.Response:
        """Register that definition."""
        return house.client("developer").post("/v1/definitions", json={"files": {"judged.yaml": text}})

    def test_names_an_agent_that_is_there(self, house: Gateway) -> None:
        refused = self.register(house)
        assert refused.status_code == 422
        assert "judged.yaml:7:21: no version of the agent reviewer@^1 may be used; of reviewer there is none" in refused.json()["detail"]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (("reviewer@^1", "reviewer@^2"), "there is 1.0.0 (draft)"),
            (("with: {tone: strict}", "with: {tone: 7}"), "`with` of reviewer"),
            ((", with: {tone: strict}", ""), "tone"),
            (("with: {tone: strict}", "tools: []"), "a registered agent brings its own `tools`"),
        ],
    )
    def test_says_where_a_use_is_wrong(self, house: Gateway, change: tuple[str, str], said: str) -> None:
        register(house)
        refused = self.register(house, USING.replace(*change))
        assert refused.status_code == 422
        assert said in refused.json()["detail"]

    def test_begins_only_with_an_approved_agent(self, house: Gateway) -> None:
        register(house)
        assert self.register(house).status_code == 201
        refused = self.start(house)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-definition")
        assert "1.0.0 (draft)" in refused.json()["detail"]
        move(house, "developer", "review")
        move(house, "approver", "approved")
        assert self.start(house).status_code == 202

    def test_pins_the_highest_approved_version_with_its_digest(self, house: Gateway) -> None:
        approve(house)
        newer = register(house, files={**FILES, "reviewer.yaml": AGENT.replace("version: 1.0.0", "version: 1.1.0")}).json()["agents"][0]
        house.register(drafts_of_using(house))
        first = self.start(house).json()["run"]
        move(house, "developer", "review", version="1.1.0")
        move(house, "approver", "approved", version="1.1.0")
        second = self.start(house).json()["run"]
        pins = [pinned(house, run) for run in (first, second)]
        assert [pin["version"] for pin in pins] == ["1.0.0", "1.1.0"]
        assert pins[1]["sha256"] == newer["sha256"] != pins[0]["sha256"]

    def test_keeps_what_the_words_of_its_agent_stood_for(self, house: Gateway) -> None:
        meant = {"model": "fake/fast", "fallbacks": [{"model": "fake/slow", "on": ["overload"]}]}
        house.client().put("/v1/models/aliases/fast", json=meant)
        files = {**FILES, "reviewer.yaml": AGENT.replace("model: fake/model", "model: fast\n  fallback: [fake/last]")}
        assert register(house, files=files).status_code == 201
        move(house, "developer", "review")
        move(house, "approver", "approved")
        assert self.register(house).status_code == 201
        [step] = house.temporal.started[self.start(house).json()["run"]].program.steps
        assert step.kind == "agent"
        assert [step.model, *(one.model for one in step.fallbacks)] == ["fake/fast", "fake/slow", "fake/last"]
        house.client().delete("/v1/models/aliases/fast")
        refused = self.start(house)
        assert (refused.status_code, "`fast` is no alias that is set" in refused.json()["detail"]) == (422, True)

    @pytest.mark.parametrize("status", ["deprecated", "retired"])
    def test_begins_no_more_with_one_that_went_out_of_use(self, house: Gateway, status: str) -> None:
        approve(house)
        self.register(house)
        move(house, "developer", status)
        assert self.start(house).status_code == 422


def drafts_of_using(house: Gateway) -> DefinitionDraft:
    """Return the definition that uses the agent, read with what is registered."""
    agents = AgentChoice(agents=tuple(house.stores.agents.agents.values()))
    drafts, problems = house.deps.bundle_reader.read({"judged.yaml": USING}, tools=[], agents=agents)
    assert not problems, problems
    return drafts[0]


def pinned(house: Gateway, run: str) -> dict[str, JsonValue]:
    """Return what a started run's program says of its agent."""
    [step] = house.temporal.started[run].program.steps
    assert step.kind == "agent"
    assert step.pin is not None
    return step.pin.model_dump(mode="json")
