"""Who changed webhooks and hooks stands in the log; their secrets and addresses do not."""

import pytest

from tests.api.gateway import Gateway, gateway
from tests.api.hook_bench import register

URL = "https://hooks.example/in?token=s3cret"


@pytest.fixture
def house() -> Gateway:
    """A gateway."""
    return gateway()


def said_of(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    """Return what the log says of an id, without who it was."""
    lines = [record.getMessage() for record in caplog.records if record.name == "api.changes"]
    assert all("by prn_" in line and "correlation id " in line for line in lines)
    assert "s3cret" not in " ".join(lines)
    return [line.removeprefix(f"{name} ").partition(", by ")[0] for line in lines if line.startswith(name)]


class TestChanges:
    def test_of_a_webhook_leave_who_and_what_in_the_log(self, house: Gateway, caplog: pytest.LogCaptureFixture) -> None:
        client, rules = house.client("developer"), {"url": URL, "events": ["run.*"]}
        with caplog.at_level("INFO", logger="api.changes"):
            made = client.post("/v1/webhooks", json=rules).json()
            place = f"/v1/webhooks/{made['webhook']}"
            answers = [client.put(place, json=rules), client.post(f"{place}/rotate", json={}), client.delete(place)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert said_of(caplog, made["webhook"]) == ["registered", "changed", "given a new secret", "removed"]
        assert made["secret"] not in caplog.text

    def test_of_a_hook_leave_who_and_what_in_the_log(self, house: Gateway, caplog: pytest.LogCaptureFixture) -> None:
        client = house.client("developer")
        with caplog.at_level("INFO", logger="api.changes"):
            sender = register(house)
            place = f"/v1/hooks/{sender.hook}"
            rules = {"name": "renamed", "action": {"kind": "start", "definition": "delay-claim"}}
            answers = [client.put(place, json=rules), client.post(f"{place}/secrets", json={}), client.delete(place)]
        assert [answer.status_code for answer in answers] == [200, 201, 200]
        assert said_of(caplog, sender.hook) == ["registered", "changed", "given a new secret", "removed"]
        assert sender.secret not in caplog.text

    def test_that_are_refused_leave_nothing(self, house: Gateway, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="api.changes"):
            assert house.client("viewer").post("/v1/webhooks", json={"url": URL, "events": ["run.*"]}).status_code == 403
            assert house.client("developer").delete(f"/v1/webhooks/whk_{'0' * 26}").status_code == 404
        assert [record for record in caplog.records if record.name == "api.changes"] == []
