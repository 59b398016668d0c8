"""`channels` and `contacts` against the real gateway."""

import json

from cli.exit_codes import ExitCode
from tests.api.gateway import REVIEWER_ROLE
from tests.cli.command_line import CommandLine

ADD = ("channels", "add", "mails", "--kind", "email", "--reviewers", REVIEWER_ROLE, "--event", "approval.opened", "--event", "task.*")


class TestChannels:
    def test_are_added_shown_tried_and_removed(self, standfast: CommandLine) -> None:
        channel = standfast(*ADD).stdout.strip()
        shown = standfast("channels")
        for word in (channel, "mails", f"role {REVIEWER_ROLE}", "approval.opened task.*", "on"):
            assert word in shown.stdout
        delivery = standfast("channels", "test", channel).stdout.strip()
        assert delivery in standfast("channels", "deliveries", channel).stdout
        assert standfast("channels", "remove", channel).exit_code == ExitCode.OK
        assert "nobody is told" in standfast("channels").output

    def test_are_shown_as_json(self, standfast: CommandLine) -> None:
        standfast(*ADD)
        found = json.loads(standfast("channels", "--json").stdout)
        assert (found["items"][0]["name"], found["kinds"]) == ("mails", ["email", "slack"])

    def test_rotate_and_revoke_links(self, standfast: CommandLine) -> None:
        assert "key 2; those before key 1" in standfast("channels", "rotate-links").stdout
        assert "key 3; those before key 3" in standfast("channels", "rotate-links", "--revoke").stdout


class TestContacts:
    def test_are_set_shown_and_forgotten(self, standfast: CommandLine) -> None:
        who = standfast.live.house.principals["approver"].id
        assert "ada@example.org" in standfast("contacts", "set", who, "email", "ada@example.org").stdout
        assert "ada@example.org" in standfast("contacts", "--principal", who).stdout
        assert standfast("contacts", "forget", who, "email").exit_code == ExitCode.OK
        assert "nobody can be reached" in standfast("contacts").output

    def test_that_are_no_address_are_refused(self, standfast: CommandLine) -> None:
        who = standfast.live.house.principals["approver"].id
        assert standfast("contacts", "set", who, "email", "nobody").exit_code == ExitCode.REFUSED
