"""Calendars, substitutes and the inbox through both clients against the real gateway."""

import pytest

from standfast_client import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from tests.api.test_calendars import FRIDAY_AT_FOUR, OFFICE
from tests.clients.live_gateway import LiveGateway


class TestCalendars:
    def test_are_put_read_and_retired(self, live: LiveGateway) -> None:
        with live.client() as client:
            made = client.calendars.put("office", OFFICE)  # pyright: ignore[reportArgumentType] - JSON
            assert (made.version, made.hours["mon"]) == (1, [{"from": "09:00", "to": "17:00"}])
            assert client.calendars.get("office", version=1) == made
            assert client.calendars.instants("office", FRIDAY_AT_FOUR, [0]).instants == ["2026-06-05T14:00:00.000000Z"]
            client.calendars.retire("office")
            assert client.calendars.list() == []
            with pytest.raises(NotFoundError):
                client.calendars.get("office")

    async def test_are_checked(self, live: LiveGateway) -> None:
        async with live.async_client() as client:
            with pytest.raises(InvalidInputError, match="Europe/Berlin"):
                await client.calendars.put("office", {"zone": "Europe/Berlim", "hours": {"mon": [{"from": "09:00", "to": "17:00"}]}})


class TestSubstitutes:
    def test_are_named_and_ended(self, live: LiveGateway) -> None:
        other = live.house.principals["approver_2"].id
        with live.client("approver") as client:
            made = client.substitutes.set(other, "2026-01-09T00:00:00Z", roles=["claims-approver"])
            assert (made.substitute, made.until, made.ended_at) == (other, "2026-01-09T00:00:00.000000Z", None)
            assert client.substitutes.list(standing=True) == [made] == client.substitutes.list(principal=other)
            assert client.substitutes.end(made.substitution).ended_by == live.house.principals["approver"].id
            assert client.substitutes.get(made.substitution).ended_at is not None

    async def test_are_for_oneself(self, live: LiveGateway) -> None:
        named = {key: live.house.principals[key].id for key in ("approver", "approver_2")}
        async with live.async_client("outsider") as client:
            with pytest.raises(ForbiddenError):
                await client.substitutes.set(named["approver_2"], "2026-01-09T00:00:00Z", reviewer=named["approver"])


class TestInbox:
    def test_is_filtered_assigned_and_shows_what_is_behind(self, live: LiveGateway) -> None:
        run = live.house.start()
        opened = live.house.open_approval(run)
        with live.client("approver") as client, live.client("approver_2") as other:
            assert [each.approval for each in client.approvals.list(run=run, tool="bank.pay", mine=True)] == [opened]
            assert client.approvals.list(tool="mail.send") == []
            assert client.approvals.assign(opened).assignee == live.house.principals["approver"].id
            assert [each.approval for each in client.approvals.list(assignee="me", order="opened")] == [opened]
            with pytest.raises(ConflictError):
                other.approvals.assign(opened)
            assert client.approvals.assign(opened, None).assignee is None
            detail = client.approvals.get(opened)
            assert (detail.usage.cost_usd_micros, detail.alike, detail.messages) == (0, [], [])
