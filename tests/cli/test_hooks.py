"""`hooks` and `runs signal` against the real gateway."""

import json
from pathlib import Path

from cli.exit_codes import ExitCode
from tests.api.hook_bench import Sender
from tests.cli.command_line import CommandLine


def added(standfast: CommandLine, *options: str) -> dict[str, object]:
    """Register a sender and return what is shown."""
    done = standfast("hooks", "add", "bank", *options, "--role", "developer", "--json")
    assert done.exit_code == ExitCode.OK, done.output
    return json.loads(done.stdout)


class TestHooks:
    def test_add_shows_address_and_secret_once(self, standfast: CommandLine) -> None:
        done = standfast("hooks", "add", "bank", "--start", "delay-claim", "--role", "developer")
        assert done.exit_code == ExitCode.OK, done.output
        assert "/hooks/hok_" in done.stdout
        assert "secret  whsec_" in done.stdout
        assert "shown once" in done.stderr
        listed = standfast("hooks")
        assert ("start delay-claim" in listed.stdout, "whsec_" in listed.stdout) == (True, False)

    def test_what_is_added_takes_requests(self, standfast: CommandLine) -> None:
        made = added(standfast, "--start", "delay-claim", "--input", '{"claim": {"id": "${ input.body.claim }"}}')
        house = standfast.live.house
        sender = Sender(house, "standard-webhooks", str(made["hook"]), str(made["secret"]))
        run = sender.send("evt-1").json()["run"]
        listed = standfast("hooks", "requests", sender.hook)
        assert ("evt-1" in listed.stdout, "started" in listed.stdout, run in listed.stdout) == (True, True, True)

    def test_a_secret_of_the_sender_comes_from_a_file(self, standfast: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("8f742231b10e8888abcd99yyyzzz85a5\n", encoding="utf-8")
        made = added(standfast, "--scheme", "slack", "--start", "delay-claim", "--secret", str(tmp_path / "secret"))
        assert made["secret"] is None
        missing = standfast("hooks", "add", "other", "--start", "delay-claim", "--secret", str(tmp_path / "none"))
        assert (missing.exit_code, "--secret" in missing.stderr) == (ExitCode.USAGE, True)

    def test_change_rotate_and_remove(self, standfast: CommandLine) -> None:
        hook = str(added(standfast, "--signal", "paid", "--correlate", "${ input.body.claim }")["hook"])
        changed = standfast("hooks", "change", hook, "--disable", "--name", "till", "--role", "developer", "--json")
        assert (json.loads(changed.stdout)["enabled"], json.loads(changed.stdout)["name"]) == (False, "till")
        assert json.loads(changed.stdout)["action"]["correlate"] == "${ input.body.claim }"
        rotated = json.loads(standfast("hooks", "rotate", hook, "--keep", "60", "--role", "developer", "--json").stdout)
        assert len(rotated["secrets"]) == 2
        assert rotated["secret"]
        assert "signal paid" in standfast("hooks", "show", hook).stdout
        assert "answers 404" in standfast("hooks", "remove", hook, "--role", "developer").stdout
        assert standfast("hooks", "show", hook).exit_code == ExitCode.NOT_FOUND

    def test_wants_one_thing_to_do(self, standfast: CommandLine) -> None:
        for options in ((), ("--start", "a", "--signal", "b")):
            done = standfast("hooks", "add", "bank", *options)
            assert (done.exit_code, "--start" in done.stderr) == (ExitCode.USAGE, True)

    def test_says_where_a_template_is_wrong(self, standfast: CommandLine) -> None:
        done = standfast("hooks", "add", "bank", "--start", "delay-claim", "--input", '"${ steps.a }"', "--role", "developer")
        assert (done.exit_code, "read `input`" in done.stderr) == (ExitCode.REFUSED, True)


class TestSignal:
    def test_goes_to_the_run(self, standfast: CommandLine) -> None:
        house = standfast.live.house
        run = house.start()
        done = standfast("runs", "signal", run, "paid", "--payload", '{"sum": 5}', "--correlate", "c-1")
        assert done.exit_code == ExitCode.OK, done.output
        [(told, signal)] = house.temporal.signals
        assert (told, signal.name, signal.payload, signal.key) == (run, "paid", {"sum": 5}, "c-1")
        assert signal.id in done.stdout
