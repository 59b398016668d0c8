"""`eval`: runs a dataset's cases as durable runs, scores them, and says what became worse."""

from pathlib import Path
from typing import Annotated

import typer

from cli.connection import open_client
from cli.options import EvaluationOptions, ReplayOptions
from cli.starting import run_and_leave, run_local


def evaluate(
    ctx: typer.Context,
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Cases: a YAML or JSON file, or JSONL with a case a line.")],
    *,
    definition: Annotated[str | None, typer.Option(help="What to run, name or name@range, instead of what the dataset says.")] = None,
    scorers: Annotated[
        Path | None, typer.Option(help="For JSONL: a YAML file with `scorers`, and `definition` and `config` if needed.")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="A result file to compare with; what is worse than there ends with code 9.")] = None,
    tolerance: Annotated[float, typer.Option(help="How far the mean of a scorer may fall.", min=0, max=1)] = 0.0,
    fail_under: Annotated[float | None, typer.Option(help="End with code 9 if a smaller share of the cases passes.", min=0, max=1)] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the result.")] = None,
    record: Annotated[Path | None, typer.Option(help="Record each run that ended as it should as a golden trace in this folder.")] = None,
    name: Annotated[str | None, typer.Option("--id", help="Names the runs: with the same id an interrupted evaluation goes on.")] = None,
    at_once: Annotated[int, typer.Option(help="Cases that run at once.", min=1, max=100)] = 4,
    timeout: Annotated[float, typer.Option(help="Seconds that one run may take.", min=1)] = 600.0,
    json_output: Annotated[bool, typer.Option("--json", help="Write the result as JSON instead of a table.")] = False,
) -> None:
    """Run a dataset's cases as durable runs, score them, and compare with an earlier result.

    Raises:
        typer.Exit: With the code that says how it went.
    """
    client = open_client(ctx)
    options = EvaluationOptions(
        url=client.connection.url,
        key=client.connection.key,
        dataset=dataset,
        definition=definition,
        scorers=scorers,
        baseline=baseline,
        tolerance=tolerance,
        fail_under=fail_under,
        out=out,
        traces=record,
        name=name,
        at_once=at_once,
        timeout_s=timeout,
        json_output=json_output,
    )
    raise typer.Exit(run_local("evaluation", options))


def replay(
    traces: Annotated[Path, typer.Argument(metavar="FOLDER", help="Golden traces that `eval --record` wrote, or one of them.")],
    *,
    bundle: Annotated[Path, typer.Option(help="The definition, or a folder with definition, prompts and schemas.")],
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON instead of lines.")] = False,
) -> None:
    """Play golden traces offline: recorded answers of models and tools, today's definition; code 9 when something differs."""
    run_and_leave("replay", ReplayOptions(traces=traces, bundle=bundle, json_output=json_output))
