"""`tasks` and `dead-letters` against the real gateway."""

import json

import pytest

from cli.exit_codes import ExitCode
from domain.dead_letters import DeadLetterKind, NewDeadLetter
from tests.api.gateway import wait_for
from tests.cli.command_line import CommandLine
from tests.contracts.journal_bench import AT

FORM = '{"type": "object", "required": ["iban"]}'


def letter(standfast: CommandLine, subject: str = "sch_1") -> str:
    """Add a dead letter of a schedule, which nothing here redrives."""
    given = NewDeadLetter(
        tenant="default",
        kind=DeadLetterKind.SCHEDULE,
        subject=subject,
        occasion="1",
        cause="too-late",
        detail="it was asleep",
        attempts=3,
        first_at=AT,
        last_at=AT,
    )
    return wait_for(standfast.live.house.stores.dead_letters.add(given))


class TestTasks:
    def test_are_made_taken_handed_on_and_filled_in(self, standfast: CommandLine) -> None:
        made = standfast(
            "tasks", "make", "Call Ada", "--form", FORM, "--due", "1h", "--escalate", "2h=lead", "--json", "--role", "operator"
        )
        assert made.exit_code == ExitCode.OK, made.output
        task = json.loads(made.stdout)["task"]
        assert "Call Ada" in standfast("tasks", "--sort", "due").stdout
        assert "yours" in standfast("tasks", "take", task, "--role", "admin").stdout
        assert task in standfast("tasks", "--mine", "--role", "admin").stdout
        assert "released" in standfast("tasks", "release", task, "--role", "admin").stdout
        assert "for desk" in standfast("tasks", "assign", task, "--to-role", "desk", "--role", "operator").stdout
        assert "for lead" in standfast("tasks", "escalate", task, "--role", "operator").stdout
        wrong = standfast("tasks", "complete", task, "--output", "{}", "--role", "admin")
        assert (wrong.exit_code, "iban" in wrong.stderr) == (ExitCode.REFUSED, True)
        done = standfast("tasks", "complete", task, "--output", '{"iban": "DE1"}', "--role", "admin")
        assert "completed; done" in done.stdout
        assert '"iban": "DE1"' in standfast("tasks", "show", task).stdout

    @pytest.mark.parametrize(
        "words",
        [
            ("make", "x", "--escalate", "soon"),
            ("assign", "tsk_1"),
            ("complete", "tsk_1", "--resolution", "give_up", "--output", "{}"),
        ],
    )
    def test_say_what_is_wrong_with_their_options(self, standfast: CommandLine, words: tuple[str, ...]) -> None:
        assert standfast("tasks", *words).exit_code == ExitCode.USAGE


class TestDeadLetters:
    def test_are_listed_shown_and_discarded_with_a_reason(self, standfast: CommandLine) -> None:
        name = letter(standfast)
        assert (name in standfast("dead-letters").stdout, "it was asleep" in standfast("dead-letters", "show", name).stdout) == (True, True)
        assert standfast("dead-letters", "discard", name, "--role", "operator").exit_code == ExitCode.USAGE
        done = standfast("dead-letters", "discard", name, "-m", "done by hand", "--role", "operator")
        assert "discarded" in done.stdout
        assert name not in standfast("dead-letters").stdout
        assert name in standfast("dead-letters", "--state", "any").stdout

    def test_are_redriven_by_one_or_many(self, standfast: CommandLine) -> None:
        name = letter(standfast)
        one = standfast("dead-letters", "redrive", name, "--role", "operator")
        assert (one.exit_code, "not-redrivable" in one.stderr) == (ExitCode.REFUSED, True)
        begun = standfast("dead-letters", "redrive", "--kind", "schedule", "--rate", "5", "--json", "--role", "operator")
        redrive = json.loads(begun.stdout)["redrive"]
        assert "1 left" in standfast("dead-letters", "progress", redrive).stdout

    @pytest.mark.parametrize("words", [(), ("dlq_1", "--all")])
    def test_are_chosen_in_one_way(self, standfast: CommandLine, words: tuple[str, ...]) -> None:
        assert standfast("dead-letters", "redrive", *words).exit_code == ExitCode.USAGE
