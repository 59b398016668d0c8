"""References of secrets over HTTP: set, listed, removed; no value, and no place of another tenant's, is taken."""

import pytest

from tests.api.gateway import Gateway

ONE = "/v1/secrets/production/BANK_TOKEN"


class TestSecretReferences:
    def test_are_set_set_anew_listed_and_removed(self, house: Gateway) -> None:
        admin = house.client("admin")
        for reference in ("env:STANDFAST_SECRET_DEFAULT__BANK", "vault:secret/default/bank#token"):
            answer = admin.put(ONE, json={"reference": reference})
            assert (answer.status_code, answer.json()["reference"]) == (200, reference), answer.text
        assert [(row["name"], row["environment"], row["reference"]) for row in admin.get("/v1/secrets").json()["items"]] == [
            ("BANK_TOKEN", "production", "vault:secret/default/bank#token")
        ]
        assert admin.delete(ONE).json() == {"name": "BANK_TOKEN", "environment": "production", "removed": True}
        assert admin.delete(ONE).status_code == 404

    @pytest.mark.parametrize(
        "reference",
        [
            "s3cret-value-as-it-is",
            "env:A B",
            "file:relative",
            "file:/run/secrets/default/../other/key",
            "vault:secret/default",
            "vault:secret/default//x#y",
            "https://vault.example/x",
        ],
    )
    def test_must_be_references(self, house: Gateway, reference: str) -> None:
        answer = house.client("admin").put(ONE, json={"reference": reference})
        assert (answer.status_code, "never the value itself" in answer.text) == (422, True)
        assert reference not in answer.text

    @pytest.mark.parametrize(
        "reference",
        [
            "env:DATABASE_URL",
            "env:STANDFAST_MASTER_KEY",
            "env:STANDFAST_SECRET_OTHER__BANK",
            "env:STANDFAST_SECRET_DEFAULT_X__BANK",
            "file:/etc/shadow",
            "file:/run/secrets/other/bank",
            "vault:secret/other/bank#token",
            "vault:kv/default/bank#token",
        ],
    )
    def test_lie_in_the_tenants_own_places(self, house: Gateway, reference: str) -> None:
        answer = house.client("admin").put(ONE, json={"reference": reference})
        assert (answer.status_code, "STANDFAST_SECRET_SOURCES" in answer.text) == (422, True)

    @pytest.mark.parametrize("place", ["/v1/secrets/staging/BANK", "/v1/secrets/test/9BANK", "/v1/secrets/test/A-B"])
    def test_have_known_environments_and_names(self, house: Gateway, place: str) -> None:
        answer = house.client("admin").put(place, json={"reference": "env:STANDFAST_SECRET_DEFAULT__BANK"})
        assert answer.status_code == 422

    def test_are_no_other_tenants(self, house: Gateway) -> None:
        house.client("admin").put(ONE, json={"reference": "env:STANDFAST_SECRET_DEFAULT__BANK"})
        assert house.client("stranger").get("/v1/secrets").json() == {"items": []}
        assert house.client("stranger").delete(ONE).status_code == 404
