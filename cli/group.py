"""The command group: global options may stand anywhere, and every error of the client becomes a sentence and an exit code."""

from itertools import pairwise
from typing import Any

import typer
from typer.core import TyperGroup

from cli.exit_codes import ExitCode, error_lines, exit_code_of
from cli.screen import clean, note
from standfast_client import StandfastError

HOISTED = ("--url", "--key", "--role", "--state-dir")
"""Global options that take a value and may also follow the command's name."""


class StandfastGroup(TyperGroup):
    """Typer's group with the two habits above."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride] - typer keeps its vendored Context private
        """Move global options to the front."""
        return super().parse_args(ctx, hoist(args))

    def invoke(self, ctx: typer.Context) -> Any:  # noqa: ANN401 - typer's own signature  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        """Run the command.

        Raises:
            typer.Exit: With the code for the error that happened.
        """
        try:
            return super().invoke(ctx)
        except StandfastError as error:
            for line in error_lines(error):
                note(clean(line))
            raise typer.Exit(exit_code_of(error)) from error
        except KeyboardInterrupt as error:
            note("interrupted; runs go on")
            raise typer.Exit(ExitCode.INTERRUPTED) from error


class RunsGroup(TyperGroup):
    """The group `runs`, in which `runs RUN` means `runs show RUN`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        """Put `show` in front of a run's id that no command stands before."""
        named = next((word for word in args if word.startswith("run_") or word in self.commands), None)
        return super().parse_args(ctx, ["show", *args] if named is not None and named not in self.commands else args)


class ApprovalsGroup(TyperGroup):
    """The group `approvals`, in which `approvals APPROVAL` and `approvals RUN` mean `approvals show` of it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        """Put `show` in front of an id that neither a command nor an option stands before."""
        named = next((word for before, word in pairwise(["", *args]) if before != "--run" and self._tells(word)), None)
        return super().parse_args(ctx, ["show", *args] if named is not None and named not in self.commands else args)

    def _tells(self, word: str) -> bool:
        return word.startswith(("run_", "apr_")) or word in self.commands


def hoist(args: list[str]) -> list[str]:
    """Return the arguments with global options first; what follows `--` stays where it is."""
    front: list[str] = []
    rest: list[str] = []
    place = 0
    while place < len(args):
        argument = args[place]
        if argument == "--":
            rest += args[place:]
            break
        name, equals, _ = argument.partition("=")
        taken = 1 if equals else 2
        if name in HOISTED:
            front += args[place : place + taken]
            place += taken
        else:
            rest.append(argument)
            place += 1
    return front + rest
