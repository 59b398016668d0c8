"""`/v1/calendars` over HTTP."""

import pytest

from tests.api.gateway import Gateway

OFFICE: dict[str, object] = {
    "zone": "Europe/Berlin",
    "hours": {"mon": [{"from": "09:00", "to": "17:00"}], "fri": [{"from": "09:00", "to": "17:00"}]},
    "holidays": [{"date": "2026-12-25", "name": "Christmas Day"}],
}
FRIDAY_AT_FOUR = "2026-06-05T14:00:00Z"


class TestCalendars:
    def test_are_kept_by_version(self, house: Gateway) -> None:
        client = house.client()
        first = client.put("/v1/calendars/office", json=OFFICE)
        assert first.status_code == 200, first.text
        assert {name: first.json()[name] for name in OFFICE} == OFFICE
        second = client.put("/v1/calendars/office", json={**OFFICE, "zone": "UTC"}).json()
        assert (first.json()["version"], second["version"]) == (1, 2)
        assert client.get("/v1/calendars/office").json() == second
        assert client.get("/v1/calendars/office?version=1").json() == first.json()
        assert client.get("/v1/calendars").json()["items"] == [second]

    def test_leave_use_and_stay_readable_by_number(self, house: Gateway) -> None:
        client = house.client()
        client.put("/v1/calendars/office", json=OFFICE)
        assert client.delete("/v1/calendars/office").status_code == 204
        assert client.get("/v1/calendars/office").json()["code"] == "not-found"
        assert client.delete("/v1/calendars/office").status_code == 404
        assert client.get("/v1/calendars/office?version=1").json()["retired_at"] is not None

    def test_say_when_working_time_has_passed(self, house: Gateway) -> None:
        house.client().put("/v1/calendars/office", json=OFFICE)
        asked = {"from": FRIDAY_AT_FOUR, "offset_s": [7200, 0]}
        found = house.client("viewer").get("/v1/calendars/office/instants", params=asked).json()
        assert (found["calendar"], found["instants"]) == ("office@1", ["2026-06-08T08:00:00.000000Z", "2026-06-05T14:00:00.000000Z"])

    @pytest.mark.parametrize(
        ("changes", "where"),
        [
            ({"zone": "Europe/Berlim"}, "/zone"),
            ({"hours": {}}, ""),
            ({"hours": {"mon": [{"from": "17:00", "to": "09:00"}]}}, "/hours/mon/0"),
            ({"holidays": [{"date": "25.12.2026"}]}, "/holidays/0/date"),
            ({"extra": 1}, "/extra"),
        ],
    )
    def test_with_a_mistake_are_refused_and_say_where(self, house: Gateway, changes: dict[str, object], where: str) -> None:
        answer = house.client().put("/v1/calendars/office", json={**OFFICE, **changes})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)
        assert house.client().get("/v1/calendars").json()["items"] == []

    def test_of_another_tenant_are_not_there(self, house: Gateway) -> None:
        house.client().put("/v1/calendars/office", json=OFFICE)
        for path in ("", "?version=1", f"/instants?from={FRIDAY_AT_FOUR}&offset_s=0"):
            assert house.client("stranger").get(f"/v1/calendars/office{path}").status_code == 404
        assert house.client("stranger").delete("/v1/calendars/office").status_code == 404

    @pytest.mark.parametrize("name", ["Office", "a", "-office"])
    def test_have_names_that_fit_everywhere(self, house: Gateway, name: str) -> None:
        assert house.client().put(f"/v1/calendars/{name}", json=OFFICE).json()["code"] == "invalid-input"
