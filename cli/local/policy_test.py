"""`standfast policy test`: plays a file of tests against policies, on this machine alone."""

from cli.exit_codes import ExitCode
from cli.options import PolicyTestOptions
from cli.screen import clean, note, say, show_json
from domain.errors import StandfastError
from wiring.policy_tests import run_tests


def run(options: PolicyTestOptions) -> int:
    """Say how each test ended; 1 when one fails."""
    try:
        results = run_tests(options.path)
    except StandfastError as error:
        note(f"error: {clean(error.detail)}")
        return ExitCode.USAGE
    failed = [result for result in results if result.problem is not None]
    if options.json_output:
        show_json({"ok": not failed, "tests": [result.model_dump(mode="json") for result in results]})
        return ExitCode.FAILURE if failed else ExitCode.OK
    for result in results:
        by = f" by {', '.join(result.verdict.policies)}" if result.verdict.policies else ""
        say(clean(f"FAILED {result.name}: {result.problem}" if result.problem else f"ok     {result.name}: {result.verdict.effect}{by}"))
    say(clean(f"{len(results) - len(failed)} of {len(results)} tests pass"))
    return ExitCode.FAILURE if failed else ExitCode.OK
