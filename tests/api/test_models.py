"""`/v1/models` over HTTP: words for models, what models can do, and definitions that ask for too much."""

import pytest

from tests.api.gateway import Gateway

AGENT = """standfast: 1
name: asks
version: {version}
do:
  - ask:
      agent:
        {model}
        instructions: {{text: Answer.}}
        temperature: 0.2
"""


def agent(model: str, version: str = "1.0.0") -> dict[str, object]:
    """Return a bundle whose agent wants a temperature; without a model it names none."""
    return {"files": {"asks.yaml": AGENT.format(version=version, model=f"model: {model}" if model else "max_turns: 2")}}


class TestAliases:
    def test_are_set_listed_and_removed(self, house: Gateway) -> None:
        client = house.client()
        chain = [{"model": "openai/gpt-4o", "on": ["overload"]}]
        stored = client.put("/v1/models/aliases/fast", json={"model": "gemini/gemini-3.5-flash", "fallbacks": chain})
        assert stored.status_code == 200, stored.text
        assert client.get("/v1/models/aliases").json()["items"] == [stored.json()]
        assert (stored.json()["source"], stored.json()["fallbacks"]) == ("tenant", chain)
        assert client.delete("/v1/models/aliases/fast").status_code == 204
        assert client.delete("/v1/models/aliases/fast").status_code == 404

    def test_are_set_by_admins_only(self, house: Gateway) -> None:
        assert house.client("developer").put("/v1/models/aliases/fast", json={"model": "a/b"}).status_code == 403

    @pytest.mark.parametrize(
        "body",
        [{"model": "fast"}, {"model": "a/b", "fallbacks": [{"model": "c/d", "on": ["boredom"]}]}, {"model": "a/b", "more": 1}, {}],
    )
    def test_are_refused_when_they_name_no_model(self, house: Gateway, body: dict[str, object]) -> None:
        assert house.client().put("/v1/models/aliases/fast", json=body).status_code == 422

    def test_stand_for_models_in_definitions(self, house: Gateway) -> None:
        developer = house.client("developer")
        unknown = developer.post("/v1/definitions", json=agent("fast"))
        assert "`fast` is no alias that is set" in unknown.text
        house.client().put("/v1/models/aliases/fast", json={"model": "openai/gpt-4o"})
        assert developer.post("/v1/definitions", json=agent("fast")).status_code == 201

    def test_have_a_default_for_agents_that_name_no_model(self, house: Gateway) -> None:
        developer = house.client("developer")
        assert "alias `default`" in developer.post("/v1/definitions", json=agent("")).text
        house.client().put("/v1/models/aliases/default", json={"model": "openai/gpt-4o"})
        assert developer.post("/v1/definitions", json=agent("")).status_code == 201


class TestCapabilities:
    def test_are_shown(self, house: Gateway) -> None:
        found = house.client("viewer").get("/v1/models/capabilities", params={"model": "openai/gpt-5-mini"}).json()
        assert (found["temperature"], found["tools"], found["context_tokens"]) == (False, True, 400_000)

    def test_refuse_a_definition_at_its_line(self, house: Gateway) -> None:
        answer = house.client("developer").post("/v1/definitions", json=agent("openai/gpt-5-mini"))
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["where"].startswith("asks.yaml:9:9")
        assert "`openai/gpt-5-mini` takes no temperature" in error["detail"]

    def test_are_those_of_what_an_alias_stands_for(self, house: Gateway) -> None:
        house.client().put("/v1/models/aliases/fast", json={"model": "gemini/gemini-3.5-flash", "fallbacks": [{"model": "openai/gpt-5"}]})
        answer = house.client("developer").post("/v1/definitions", json=agent("fast"))
        assert "`openai/gpt-5` takes no temperature, and `fast` stands for it" in answer.text
