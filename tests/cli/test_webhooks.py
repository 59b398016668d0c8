"""`standfast webhooks` against the real gateway."""

import json

import pytest

from cli.exit_codes import ExitCode
from tests.cli.command_line import CommandLine

URL = "https://hooks.example/in?token=t0p"


def added(standfast: CommandLine) -> dict[str, str]:
    """Register a webhook from the command line."""
    done = standfast("webhooks", "add", URL, "--event", "run.*", "--event", "approval.opened", "--json")
    assert done.exit_code == ExitCode.OK, done.output
    return json.loads(done.stdout)


class TestWebhooks:
    def test_shows_the_secret_when_it_is_made_and_only_then(self, standfast: CommandLine) -> None:
        done = standfast("webhooks", "add", URL)
        assert done.exit_code == ExitCode.OK, done.output
        assert "whsec_" in done.stdout
        assert "never shown again" in done.stderr
        listed = standfast("webhooks").stdout
        assert "hooks.example" in listed
        assert "t0p" not in listed
        assert "whsec_" not in listed

    def test_changes_and_takes_away(self, standfast: CommandLine) -> None:
        webhook = added(standfast)["webhook"]
        assert "disabled" in standfast("webhooks", "change", webhook, "--disable").stdout
        assert "run.*" in standfast("webhooks", "show", webhook).stdout
        assert "old secret until" in standfast("webhooks", "rotate", webhook, "--overlap", "60").stdout
        assert "is gone" in standfast("webhooks", "remove", webhook).stdout
        assert standfast("webhooks", "show", webhook).exit_code == ExitCode.NOT_FOUND
        assert "no webhook" in standfast("webhooks").stderr

    def test_sends_shows_and_redelivers_a_test_event(self, standfast: CommandLine) -> None:
        webhook = added(standfast)["webhook"]
        assert "no delivery" in standfast("webhooks", "deliveries", webhook).stderr
        delivery = standfast("webhooks", "test", webhook).stdout.strip()
        assert "webhook.test" in standfast("webhooks", "deliveries", webhook, "--state", "pending").stdout
        shown = standfast("webhooks", "delivery", webhook, delivery)
        assert "webhook-id" in shown.stdout
        assert "no attempt yet" in shown.stderr
        assert "round 2" in standfast("webhooks", "redeliver", webhook, delivery).stdout

    def test_replays(self, standfast: CommandLine) -> None:
        webhook = added(standfast)["webhook"]
        run = standfast.live.house.start()
        assert "1 deliveries go out" in standfast("webhooks", "replay", webhook, "--run", run).stdout
        assert "0 deliveries go out" in standfast("webhooks", "replay", webhook, "--position", "0").stdout

    @pytest.mark.parametrize("words", [(), ("--position", "0", "--run", "run_1")])
    def test_replays_from_one_beginning_only(self, standfast: CommandLine, words: tuple[str, ...]) -> None:
        refused = standfast("webhooks", "replay", added(standfast)["webhook"], *words)
        assert (refused.exit_code, "--position" in refused.stderr) == (ExitCode.USAGE, True)

    def test_says_which_events_there_are(self, standfast: CommandLine) -> None:
        refused = standfast("webhooks", "add", URL, "--event", "run.suceeded")
        assert refused.exit_code != ExitCode.OK
        assert "run.succeeded" in refused.stderr
