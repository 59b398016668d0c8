"""Runs a dataset's cases as durable runs, scores what they gave, and writes and reads result files."""

import asyncio
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue, ValidationError

from domain.errors import InvalidInput
from domain.evaluation import ERROR, Case, CaseResult, Dataset, Evaluation, Judged, Score, judgement, label, read_dataset, read_lines, score
from domain.golden import Trace, record
from domain.ledger import Kind
from standfast_client import AsyncStandfast, Run, RunEvent, StandfastError, WaitTimedOutError
from wiring.documents import read_document

Told = Callable[[CaseResult], None]


class Evaluator:
    """Evaluates one dataset. The same `name` finds the same runs again: an evaluation that was interrupted goes on.

    With `traces`, a folder, each run that ended as it should is recorded there.
    """

    def __init__(
        self, client: AsyncStandfast, dataset: Dataset, *, name: str, at_once: int, timeout_s: float, traces: Path | None = None
    ) -> None:
        self._traces = traces
        self._folders = trace_folders([case.name for case in dataset.cases])
        self._client = client
        self._dataset = dataset
        self._name = name
        self._places = asyncio.Semaphore(at_once)
        self._timeout_s = timeout_s

    async def evaluate(self, definition: str, told: Told) -> list[CaseResult]:
        """Run and score every case, so many at once, and tell each result as it comes; they are returned in the dataset's order."""

        async def one(case: Case) -> CaseResult:
            async with self._places:
                result = await self._case(definition, case)
            told(result)
            return result

        return list(await asyncio.gather(*map(one, self._dataset.cases)))

    async def _case(self, definition: str, case: Case) -> CaseResult:
        began = time.monotonic()
        run: Run | None = None
        try:
            handle = await self._client.runs.start(
                definition, case.input, config={**self._dataset.config, **case.config}, idempotency_key=self._key(case.name)
            )
            run = await self._ended(handle.id)
            output = await handle.result() if run.succeeded else None
            unrecorded = await self._unrecorded(definition, case, run, output) if run.status == case.status else None
            scores, judged = await self._scores(case, run, output)
        except (StandfastError, InvalidInput) as error:
            return CaseResult(name=case.name, run=run.run if run else None, status=ERROR, error=str(error)[:1000])
        usages = [run.usage, *(each.usage for each in judged)]
        return CaseResult(
            name=case.name,
            run=run.run,
            status=run.status,
            output=output,
            error=f"{run.error.code}: {run.error.detail}" if run.error else None,
            scores=scores,
            cost_usd_micros=sum(usage.cost_usd_micros for usage in usages),
            input_tokens=sum(usage.input_tokens for usage in usages),
            output_tokens=sum(usage.output_tokens for usage in usages),
            seconds=round(time.monotonic() - began, 3),
            unrecorded=unrecorded,
        )

    async def _unrecorded(self, definition: str, case: Case, run: Run, output: JsonValue) -> str | None:
        """Record a run if traces are wanted; return why there is none of it. What the case is worth does not depend on it."""
        if self._traces is None:
            return None
        try:
            await self._record(self._traces / self._folders[case.name], definition, case, run, output=output)
        except (StandfastError, InvalidInput, OSError) as error:
            return str(error)[:1000]
        return None

    async def _record(self, place: Path, definition: str, case: Case, run: Run, *, output: JsonValue) -> None:
        """Write a run's golden trace.

        Raises:
            InvalidInput: it cannot be recorded. OSError: it cannot be written.
        """
        events = [await self._whole(event) async for event in self._client.runs.handle(run.run).events() if event.kind == "entry"]
        given: dict[str, JsonValue] = {
            "name": case.name,
            "run": run.run,
            "definition": definition,
            "input": case.input,
            "config": {**self._dataset.config, **case.config},
            "status": run.status,
            "result": output,
        }
        save_trace(place, record(given, events))

    async def _whole(self, event: RunEvent) -> dict[str, JsonValue]:
        """Return an event; what a person filled in stands with their task alone, and is fetched for it."""
        told: dict[str, JsonValue] = event.model_dump(mode="json")
        task = event.data.get("task")
        if event.what != Kind.TASK_COMPLETED or not isinstance(task, str):
            return told
        known = await self._client.tasks.get(task)
        return {**told, "task": {"kind": known.kind, "own": known.own, "answer": known.answer}}

    async def _ended(self, run: str) -> Run:
        """Wait for a run; one that takes longer is asked to stop.

        Raises:
            WaitTimedOutError: it had not ended in time.
        """
        handle = self._client.runs.handle(run)
        try:
            return await handle.wait(self._timeout_s)
        except WaitTimedOutError:
            await handle.cancel("its evaluation gave it no more time")
            raise

    async def _scores(self, case: Case, run: Run, output: JsonValue) -> tuple[dict[str, Score], list[Run]]:
        """The scores of a case, and the runs that judged it. How the run ended counts first."""
        if run.status != case.status:
            reason = f"the run {run.status}, and {case.status} is expected"
            return {label(scorer): Score(value=0, passed=False, reason=reason) for scorer in self._dataset.scorers}, []
        if not run.succeeded:
            return {label(scorer): Score(value=1, passed=True) for scorer in self._dataset.scorers}, []
        scores: dict[str, Score] = {}
        judges: list[Run] = []
        for scorer in self._dataset.scorers:
            if isinstance(scorer, Judged):
                scores[label(scorer)], judge = await self._judged(scorer, case, output)
                judges.append(judge)
            else:
                scores[label(scorer)] = score(scorer, case, output)
        return scores, judges

    async def _judged(self, scorer: Judged, case: Case, output: JsonValue) -> tuple[Score, Run]:
        given: dict[str, JsonValue] = {"input": case.input, "output": output, "expected": case.expected, "rubric": scorer.rubric}
        handle = await self._client.runs.start(
            scorer.definition, given, config=scorer.config, idempotency_key=self._key(f"{case.name}:{label(scorer)}")
        )
        judge = await self._ended(handle.id)
        if not judge.succeeded:
            return Score(value=0, passed=False, reason=f"the judge's run {judge.run} {judge.status}"), judge
        return judgement(scorer, await handle.result()), judge

    def _key(self, name: str) -> str:
        return "eval-" + hashlib.sha256(f"{self._name}\0{name}".encode()).hexdigest()[:40]


def load_dataset(path: Path, beside: Path | None = None) -> tuple[Dataset, str]:
    """Read a dataset and the SHA-256 of its files. Cases of a `.jsonl` file take the rest from `beside`, a YAML file, if there is one.

    Raises:
        InvalidInput: a file cannot be read, or has mistakes; the text names it.
    """
    texts = [_text(path)] + ([_text(beside)] if beside is not None else [])
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    try:
        if path.suffix != ".jsonl":
            return read_dataset(read_document(texts[0])), digest
        rest = read_document(texts[1]) if beside is not None else {}
        if not isinstance(rest, dict):
            raise InvalidInput("scorers and definition stand in a mapping")  # noqa: TRY301 - it gets its file's name like the others
        return read_dataset({**rest, "cases": read_lines(texts[0])}), digest
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.detail}") from error


def load_evaluation(path: Path) -> Evaluation:
    """Read a result file.

    Raises:
        InvalidInput: it cannot be read, or is none.
    """
    try:
        return Evaluation.model_validate_json(_text(path))
    except ValidationError as error:
        raise InvalidInput(f"{path} is no result of `standfast eval`: {error.errors(include_url=False)[0]['msg']}") from error


def save_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write a result file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(evaluation.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def trace_folders(names: list[str]) -> dict[str, str]:
    """Return the name of each case's own folder; where two would be one, also on disks that take no notice of case, a digest parts them."""
    plain = {name: re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".") or "case" for name in names}
    shared = Counter(folder.lower() for folder in plain.values())
    digests = {name: hashlib.sha256(name.encode()).hexdigest()[:12] for name in names}
    return {name: folder if shared[folder.lower()] == 1 else f"{folder}-{digests[name]}" for name, folder in plain.items()}


def save_trace(place: Path, trace: Trace) -> None:
    """Write a trace into its folder: `trace.json`, and a script of the scripted model for each conversation."""
    place.mkdir(parents=True, exist_ok=True)
    _write(place / "trace.json", trace.model_dump(mode="json"))
    for (step, visit), script in trace.scripts().items():
        _write(place / script_name(step, visit), script)


def script_name(step: str, visit: int) -> str:
    """Return the name of a conversation's script."""
    return f"{step}.{visit}.script.json"


def load_trace(place: Path) -> tuple[Trace, dict[tuple[str, int], Path]]:
    """Read a trace and the places of its scripts.

    Raises:
        InvalidInput: it cannot be read, or is none.
    """
    try:
        trace = Trace.model_validate_json(_text(place / "trace.json"))
    except ValidationError as error:
        raise InvalidInput(f"{place / 'trace.json'} is no trace: {error.errors(include_url=False)[0]['msg']}") from error
    return trace, {(step, visit): place / script_name(step, visit) for step, visit in trace.scripts()}


def _write(path: Path, value: JsonValue) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
