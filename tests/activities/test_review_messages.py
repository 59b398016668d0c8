"""Whom channels reach with an event, and what they are told when it is sent."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from activities.review_messages import MessagePorts, ReviewMessages
from activities.reviewer_audience import ReviewerAudience
from domain.approval_rules import ReviewEvent
from domain.channels import CHANNEL_TEST, ChannelRow, Contact, ReviewMessage
from domain.deliveries import AttemptResult, Outgoing
from domain.events import Event, delivery_id
from domain.review_links import ReviewLink, read_token
from domain.runs import ApprovalClosure, Projection, RunStatus
from domain.substitutes import Substitution
from tests.api.gateway import LINK_KEYS, REVIEWER_ROLE, Gateway, fresh_id, gateway, wait_for

TENANT = "default"


def channel(**changes: object) -> ChannelRow:
    """Return a channel; by default mails to claims approvers."""
    row = ChannelRow(
        channel=fresh_id("chn"),
        name=f"channel {fresh_id('chn')}",
        kind="email",
        role=REVIEWER_ROLE,
        events=("approval.*", "task.*"),
        created_by="prn_admin",
        created_at="2026-01-05T09:00:00.000000Z",
    )
    return row.model_copy(update=changes)


@dataclass
class House:
    """A gateway's stores with the audience and the messages over them."""

    gate: Gateway = field(default_factory=gateway)

    def __post_init__(self) -> None:
        """Let both approvers and the outsider be reached by mail."""
        stores = self.gate.stores
        self.audience = ReviewerAudience(
            channels=stores.channels, approvals=stores.approvals, substitutes=stores.substitutes, keys=stores.keys
        )
        ports = MessagePorts(stores.channels, stores.approvals, stores.tasks, stores.runs, stores.keys, stores.substitutes)
        self.messages = ReviewMessages(ports, link_keys=LINK_KEYS, page_url=lambda token: f"https://here.example/a/{token}")
        for who in ("approver", "approver_2", "outsider", "viewer", "operator"):
            self.contact(who)

    def id(self, who: str) -> str:
        """Return a principal's id."""
        return self.gate.principals[who].id

    def contact(self, who: str, kind: str = "email") -> None:
        """Say where somebody is reached."""
        said = {"principal": self.id(who), "kind": kind, "address": f"{who}@example.org"}
        contact = Contact(**said, set_by=self.id(who), set_at="2026-01-05T09:00:00.000000Z")
        wait_for(self.gate.stores.channels.set_contact(TENANT, contact))

    def add(self, **changes: object) -> ChannelRow:
        """Add a channel."""
        return wait_for(self.gate.stores.channels.add(TENANT, channel(**changes)))

    def approval(self, who: str = "operator") -> str:
        """Open an approval."""
        return self.gate.open_approval(self.gate.start(who))

    def event(self, name: str, approval: str, **details: str | list[str]) -> Event:
        """Return an event about an approval."""
        data = {"details": {"approval": approval, **details}}
        return Event(id=fresh_id("evt"), type=name, at="2026-01-05T09:00:00Z", tenant=TENANT, run=None, data=data)  # pyright: ignore[reportArgumentType]  # JSON

    def reached(self, *events: Event) -> list[tuple[str, str]]:
        """Return (channel kind, reviewer or room) of every delivery."""
        made = wait_for(self.audience.recipients(TENANT, list(events)))
        names = {principal.id: name for name, principal in self.gate.principals.items()}
        return [(one.to.channel, names.get(one.to.endpoint.partition("/")[2], "room")) for one in made]

    def told(self, row: ChannelRow, event: Event, who: str | None = "approver") -> ReviewMessage | AttemptResult:
        """Return what a delivery of this event says to somebody."""
        endpoint = row.channel if who is None else f"{row.channel}/{self.id(who)}"
        identity = delivery_id(event.id, row.kind, endpoint)
        outgoing = Outgoing(tenant=TENANT, delivery=identity, channel=row.kind, endpoint=endpoint, event=event, at=event.at)
        return wait_for(self.messages.message(endpoint, outgoing))

    def message(self, row: ChannelRow, event: Event, who: str | None = "approver") -> ReviewMessage:
        """Return the message; there must be one."""
        found = self.told(row, event, who)
        assert isinstance(found, ReviewMessage), found
        return found

    def unsent(self, row: ChannelRow, event: Event, who: str | None = "approver") -> str:
        """Return why nothing is sent."""
        found = self.told(row, event, who)
        assert isinstance(found, AttemptResult)
        return found.detail

    def change(self, approval: str, **changes: object) -> None:
        """Change the inbox row."""
        rows = self.gate.stores.database.approvals
        row = rows[TENANT, approval]
        rows[TENANT, approval] = row.model_copy(update={"projection": row.projection.model_copy(update=changes)})

    def close(self, approval: str, decision: str = "approve") -> None:
        """Close an approval."""
        row = self.gate.stores.database.approvals[TENANT, approval]
        by = self.id("approver_2")
        closure = ApprovalClosure(approval=approval, decision=decision, decided_by=by, decided_at=self.gate.stores.database.now())
        self.gate.project(row.run, Projection(status=RunStatus.RUNNING, close_approval=closure), seq=2)


@pytest.fixture(name="house")
def _house() -> House:
    return House()


class TestAudience:
    def test_is_who_has_the_role_and_a_contact(self, house: House) -> None:
        house.add()
        event = house.event("approval.opened", house.approval())
        assert sorted(house.reached(event)) == [("email", "approver"), ("email", "approver_2")]

    def test_hears_only_of_what_the_channel_tells(self, house: House) -> None:
        house.add(events=("approval.opened",))
        approval = house.approval()
        assert house.reached(house.event("approval.decided", approval), house.event("run.succeeded", approval)) == []

    def test_is_nobody_while_the_channel_is_off(self, house: House) -> None:
        house.add(enabled=False)
        assert house.reached(house.event("approval.opened", house.approval())) == []

    def test_is_narrowed_to_a_role_or_a_person(self, house: House) -> None:
        house.add(role="claims-lead")
        house.add(role=None, principal=house.id("approver_2"))
        house.add(role=None, principal=house.id("outsider"))
        assert house.reached(house.event("approval.opened", house.approval())) == [("email", "approver_2")]

    def test_is_a_room_without_a_reviewer(self, house: House) -> None:
        house.add(role=None, kind="slack", target="https://hooks.example/T1")
        assert house.reached(house.event("approval.opened", house.approval())) == [("slack", "room")]

    def test_is_no_room_for_a_role_that_is_not_asked(self, house: House) -> None:
        house.add(role="claims-lead", kind="slack", target="https://hooks.example/T1")
        assert house.reached(house.event("approval.opened", house.approval())) == []

    def test_is_never_the_requester_where_that_is_excluded(self, house: House) -> None:
        house.add()
        assert house.reached(house.event("approval.opened", house.approval("admin"))) != []
        house.contact("admin")
        reached = house.reached(house.event("approval.opened", house.approval("admin")))
        assert ("email", "admin") not in reached
        assert len(reached) == 2

    def test_of_a_rung_is_the_roles_of_that_rung(self, house: House) -> None:
        house.gate.add_key("lead", house.gate.principals["approver"].role, reviewer_roles=("claims-lead",))
        house.contact("lead")
        house.add(role="claims-lead")
        house.add()
        assert house.reached(house.event("approval.escalated", house.approval(), roles=["claims-lead"])) == [("email", "lead")]

    def test_of_a_handed_over_vote_is_whom_it_was_handed_to(self, house: House) -> None:
        house.add()
        event = house.event("approval.delegated", house.approval(), to=house.id("outsider"))
        assert house.reached(event) == [("email", "outsider")]

    def test_is_also_the_substitute_of_who_is_away(self, house: House) -> None:
        house.add()
        now = house.gate.stores.database.time
        away = Substitution(
            substitution=fresh_id("sbs"),
            reviewer=house.id("approver"),
            substitute=house.id("outsider"),
            since=(now - timedelta(days=1)).isoformat(),
            until=(now + timedelta(days=5)).isoformat(),
            set_by=house.id("approver"),
            created_at=now.isoformat(),
        )
        wait_for(house.gate.stores.substitutes.add(TENANT, away))
        assert ("email", "outsider") in house.reached(house.event("approval.opened", house.approval()))

    def test_is_known_from_the_event_while_the_inbox_has_no_row(self, house: House) -> None:
        house.add()
        event = house.event("approval.opened", fresh_id("apr"), role=REVIEWER_ROLE)
        assert len(house.reached(event)) == 2

    def test_of_a_task_is_everybody_of_the_channel(self, house: House) -> None:
        house.add()
        assert len(house.reached(house.event("task.opened", ""))) == 2


class TestMessage:
    def test_shows_what_will_run_and_links_to_the_page_of_its_reviewer(self, house: House) -> None:
        row, approval = house.add(), house.approval()
        said = house.message(row, house.event("approval.opened", approval))
        assert (said.address, said.heading) == ("approver@example.org", "Decision asked: Pay 250?")
        assert said.summary is not None
        assert said.summary.calls[0].arguments[0].text == "250"
        assert said.link is not None
        token = read_token(LINK_KEYS, said.link.removeprefix("https://here.example/a/"))
        assert isinstance(token, ReviewLink)
        assert (token.approval, token.reviewer, token.tenant) == (approval, house.id("approver"), TENANT)
        assert token.digest == house.gate.temporal.approvals[approval].digest

    def test_has_the_same_link_on_every_attempt_and_another_for_another_reviewer(self, house: House) -> None:
        row, event = house.add(), house.event("approval.opened", house.approval())
        first, again = house.message(row, event), house.message(row, event)
        assert first == again
        assert house.message(row, event, "approver_2").link != first.link

    def test_opens_the_page_that_decides(self, house: House) -> None:
        said = house.message(house.add(), house.event("approval.opened", house.approval()))
        assert said.link is not None
        page = house.gate.client(None).get(said.link.removeprefix("https://here.example"))
        assert (page.status_code, "Pay 250?" in page.text) == (200, True)

    def test_to_a_room_holds_no_link(self, house: House) -> None:
        row = house.add(role=None, kind="slack", target="https://hooks.example/T1")
        said = house.message(row, house.event("approval.opened", house.approval()), None)
        assert (said.link, said.address) == (None, "https://hooks.example/T1")

    def test_links_to_what_was_amended_meanwhile(self, house: House) -> None:
        row, approval = house.add(), house.approval()
        house.change(approval, digest="cd" * 32)
        said = house.message(row, house.event("approval.opened", approval))
        token = read_token(LINK_KEYS, (said.link or "").rpartition("/")[2])
        assert isinstance(token, ReviewLink)
        assert token.digest == "cd" * 32

    def test_names_characters_that_hide(self, house: House) -> None:
        row, approval = house.add(), house.approval()
        house.change(approval, title="Pay\u202e 052\nBcc: eve@evil.example")
        said = house.message(row, house.event("approval.opened", approval))
        assert said.heading == "Decision asked: Pay[U+202E RIGHT-TO-LEFT OVERRIDE] 052[U+000A]Bcc: eve@evil.example"

    def test_of_what_was_decided_says_by_whom_and_links_to_nothing(self, house: House) -> None:
        row, approval = house.add(), house.approval()
        house.close(approval)
        said = house.message(row, house.event("approval.decided", approval))
        assert (said.heading, said.link) == ("Approved: Pay 250?", None)
        assert "Approved by approver_2" in said.lines[0]

    def test_that_tries_the_channel_needs_nothing_else(self, house: House) -> None:
        event = Event(id=fresh_id("evt"), type=CHANNEL_TEST, at="2026-01-05T09:00:00Z", tenant=TENANT, run=None)
        said = house.message(house.add(enabled=False), event)
        assert (said.heading, said.link, said.summary) == ("Test message", None, None)

    def test_about_a_task_says_what_is_asked(self, house: House) -> None:
        row, task = house.add(), house.gate.open_task(house.gate.start())
        event = Event(
            id=fresh_id("evt"), type="task.opened", at="2026-01-05T09:00:00Z", tenant=TENANT, run=None, data={"details": {"task": task}}
        )
        said = house.message(row, event)
        assert said.heading == "Task for a person: Did bank.pay happen?"
        assert task in said.lines[1]


class TestNothing:
    def test_is_sent_for_an_approval_that_was_closed_meanwhile(self, house: House) -> None:
        row, approval = house.add(), house.approval()
        house.close(approval)
        assert "the approval is closed" in house.unsent(row, house.event("approval.opened", approval))

    def test_is_sent_to_who_may_not_decide_any_more(self, house: House) -> None:
        row, event = house.add(), house.event("approval.opened", house.approval())
        wait_for(house.gate.stores.keys.set_reviewer_roles(TENANT, house.id("approver"), ()))
        assert "may not decide" in house.unsent(row, event)

    def test_is_sent_to_the_requester(self, house: House) -> None:
        house.contact("admin")
        row, event = house.add(), house.event("approval.opened", house.approval("admin"))
        assert "may not decide" in house.unsent(row, event, "admin")

    def test_is_sent_by_a_channel_that_was_removed(self, house: House) -> None:
        row, event = house.add(), house.event("approval.opened", house.approval())
        wait_for(house.gate.stores.channels.remove(TENANT, row.channel))
        assert "removed" in house.unsent(row, event)

    def test_is_sent_by_a_channel_that_was_switched_off(self, house: House) -> None:
        row, event = house.add(), house.event("approval.opened", house.approval())
        wait_for(house.gate.stores.channels.change(TENANT, row.channel, channel(name=row.name, enabled=False)))
        assert "switched off" in house.unsent(row, event)

    def test_is_sent_where_nobody_is(self, house: House) -> None:
        row, event = house.add(), house.event("approval.opened", house.approval())
        wait_for(house.gate.stores.channels.remove_contact(TENANT, house.id("approver"), "email"))
        assert "nobody says" in house.unsent(row, event)

    def test_is_known_yet_of_a_row_that_is_not_there(self, house: House) -> None:
        found = house.told(house.add(), house.event("approval.opened", fresh_id("apr")))
        assert isinstance(found, AttemptResult)
        assert found.outcome == "failed", "a moment later it is there"

    def test_is_hidden_from_who_has_the_vote_by_hand_over(self, house: House) -> None:
        row, approval = house.add(), house.approval()
        event = house.event("approval.delegated", approval, to=house.id("outsider"))
        assert "may not decide" in house.unsent(row, event, "outsider")
        house.change(approval, delegates=[house.id("outsider")], events=[handed(house)])
        assert house.message(row, event, "outsider").link is not None


def handed(house: House) -> ReviewEvent:
    """Return that the approver's vote was handed to the outsider."""
    return ReviewEvent(
        verdict="delegate", at="2026-01-05T09:00:00Z", decision_id="dec_1", principal=house.id("approver"), to=house.id("outsider")
    )
