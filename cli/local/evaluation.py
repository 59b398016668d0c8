"""`standfast eval`: evaluates, shows the table, writes the result, and compares it with an earlier one."""

import asyncio
import secrets

from cli.evaluating import Evaluator, load_dataset, load_evaluation, save_evaluation
from cli.exit_codes import ExitCode
from cli.options import EvaluationOptions
from cli.screen import clean, note, say, show_json, show_table
from cli.views import dollars
from domain.errors import InvalidInput
from domain.evaluation import ERROR, CaseResult, Dataset, Evaluation, regressions
from standfast_client import AsyncStandfast


def run(options: EvaluationOptions) -> int:
    """Evaluate and return the exit code."""
    try:
        dataset, digest = load_dataset(options.dataset, options.scorers)
        before = None if options.baseline is None else load_evaluation(options.baseline)
        definition = _definition(options, dataset)
    except InvalidInput as error:
        note(clean(f"error: {error.detail}"))
        return ExitCode.USAGE
    name = options.name or secrets.token_hex(6)
    if options.name is None:
        note(f"evaluation {name}: --id {name} goes on with it if it is interrupted")
    cases = asyncio.run(_evaluated(options, dataset, definition, name))
    evaluation = Evaluation(id=name, definition=definition, dataset=digest, cases=cases)
    if options.out is not None:
        save_evaluation(options.out, evaluation)
    _show(evaluation, json_output=options.json_output)
    return _verdict(options, evaluation, before)


def _definition(options: EvaluationOptions, dataset: Dataset) -> str:
    """Return what to run.

    Raises:
        InvalidInput: nobody says.
    """
    definition = options.definition or dataset.definition
    if not definition:
        raise InvalidInput("say what to run: `definition` in the dataset, or --definition")
    return definition


async def _evaluated(options: EvaluationOptions, dataset: Dataset, definition: str, name: str) -> list[CaseResult]:
    def told(result: CaseResult) -> None:
        note(clean(f"  {result.name}: {'passed' if result.passed else result.error or 'not passed'}"))
        if result.unrecorded is not None:
            note(clean(f"  {result.name}: there is no trace of it: {result.unrecorded}"))

    async with AsyncStandfast(options.url, options.key) as client:
        evaluator = Evaluator(client, dataset, name=name, at_once=options.at_once, timeout_s=options.timeout_s, traces=options.traces)
        return await evaluator.evaluate(definition, told)


def _show(evaluation: Evaluation, *, json_output: bool) -> None:
    if json_output:
        show_json(evaluation.model_dump(mode="json", by_alias=True))
        return
    scorers = evaluation.scorers
    columns = ["CASE", "PASSED", "STATUS", *(name.upper() for name in scorers), "COST", "SECONDS", "RUN"]
    show_table(columns, [_row(case, scorers) for case in evaluation.cases], nothing="no cases")
    means = ", ".join(f"{name} {evaluation.mean(name):.2f}" for name in scorers)
    say(clean(f"{evaluation.passed} of {len(evaluation.cases)} passed; {means or 'no scores'}; {dollars(evaluation.cost_usd_micros)}"))


def _row(case: CaseResult, scorers: list[str]) -> list[str]:
    scores = [f"{case.scores[name].value:.2f}" if name in case.scores else "" for name in scorers]
    return [
        case.name,
        "yes" if case.passed else "no",
        case.status,
        *scores,
        dollars(case.cost_usd_micros),
        f"{case.seconds:.1f}",
        case.run or "",
    ]


def _verdict(options: EvaluationOptions, evaluation: Evaluation, before: Evaluation | None) -> int:
    worse = [] if before is None else regressions(evaluation, before, tolerance=options.tolerance)
    for line in worse:
        note(clean(f"worse: {line}"))
    share = evaluation.passed / len(evaluation.cases)
    if options.fail_under is not None and share < options.fail_under:
        note(f"worse: {share:.0%} of the cases passed, and {options.fail_under:.0%} must")
        worse.append("too few")
    failed = [case.name for case in evaluation.cases if case.status == ERROR]
    if failed:
        note(clean(f"error: {len(failed)} of {len(evaluation.cases)} cases could not be run or scored: {', '.join(failed)}"))
    if worse:
        return ExitCode.REGRESSED
    return ExitCode.FAILURE if failed else ExitCode.OK
