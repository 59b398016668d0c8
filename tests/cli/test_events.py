"""`events` and `run --follow`: what a person sees while a model writes."""

import json

from cli.event_views import Screen
from cli.exit_codes import ExitCode
from standfast_client import RunEvent
from tests.api.test_events import answer, end
from tests.cli.command_line import CommandLine

CLAIM = '{"claim": {"id": "c-1"}}'


def event(kind: str, *, what: str = "text", **fields: object) -> RunEvent:
    """Build an event of the review's model call."""
    return RunEvent.model_validate({"kind": kind, "id": "1", "what": what, "step": "review", "call": "0", **fields})


def shown(*events: RunEvent) -> str:
    """Return what stands on the screen."""
    screen = Screen()
    return "".join(screen.show(one) for one in events)


def settled(text: str) -> RunEvent:
    """Build the entry of an answer."""
    return event("entry", what="agent:model:answered", text=text)


class TestScreen:
    def test_grows_with_each_delta_and_is_not_written_twice(self) -> None:
        assert shown(event("delta", text="Ye"), event("delta", text="s."), settled("Yes.")) == "review: Yes.\n"

    def test_writes_what_is_missing_of_the_settled_text(self) -> None:
        assert shown(event("delta", text="Ye"), settled("Yes.")) == "review: Yes.\n"
        assert shown(settled("Yes.")) == "review: Yes.\n"

    def test_says_that_what_was_written_is_void(self) -> None:
        lines = shown(event("delta", text="Ye"), event("reset"), event("delta", text="No.", attempt=2), settled("No.")).splitlines()
        assert lines == ["review: Ye", "· review: attempt 1 was given up; what it wrote is void", "review: No."]

    def test_tells_thinking_and_calls_apart(self) -> None:
        call = event("delta", what="tool_arguments", text="", name="notes.read")
        rest = event("delta", what="tool_arguments", text='{"a": 1}')
        lines = shown(event("delta", what="reasoning", text="hm"), event("delta", text="Let me see."), call, rest).splitlines()
        assert lines == ["review thinks: hm", "review: Let me see.", 'review calls notes.read: {"a": 1}']

    def test_shows_parallel_answers_each_on_its_lines(self) -> None:
        other = event("delta", text="b").model_copy(update={"step": "audit"})
        assert shown(event("delta", text="a"), other, event("delta", text="c")) == "review: a\naudit: b\nreview: c"

    def test_lets_no_text_command_the_terminal(self) -> None:
        assert "\x1b" not in shown(event("delta", text="\x1b[2J"), settled("\x1b[2J"))


class TestEventsCommand:
    def test_shows_a_run_to_its_end(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        answer(standfast.live.house, run, "Yes", ".")
        end(standfast.live.house, run)
        done = standfast("events", run)
        assert (done.exit_code, done.stdout) == (ExitCode.OK, "· accepted\nreview: Yes.\n· the run succeeded\n")

    def test_writes_json_lines_when_asked(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        end(standfast.live.house, run)
        lines = [json.loads(line) for line in standfast("events", run, "--json").stdout.splitlines()]
        assert [line["kind"] for line in lines] == ["entry", "end"]
        assert standfast("events", run, "--json", "--after", lines[-1]["id"]).stdout == ""


class TestFollow:
    def test_shows_events_aside_and_writes_the_result(self, standfast: CommandLine) -> None:
        started = standfast("run", "delay-claim", "-i", CLAIM, "--idempotency-key", "k").stdout.strip()
        answer(standfast.live.house, started, "Yes", ".")
        standfast.live.house.succeed(started, {"paid": 250})
        done = standfast("run", "delay-claim", "-i", CLAIM, "--idempotency-key", "k", "--follow")
        assert json.loads(done.stdout) == {"paid": 250}
        assert "review: Yes." in done.stderr

    def test_does_not_go_with_a_timeout(self, standfast: CommandLine) -> None:
        done = standfast("run", "delay-claim", "-i", CLAIM, "--follow", "--timeout", "1")
        assert done.exit_code == ExitCode.USAGE
