"""What people see of runs, approvals, definitions and verdicts: rows, fields and lines. Pure: nothing is written here."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import JsonValue

from standfast_client import Approval, Definition, Effect, Run, Trace, Verdict

RUN_COLUMNS = ("RUN", "DEFINITION", "STATUS", "WAITS FOR", "STARTED", "COST")
APPROVAL_COLUMNS = ("APPROVAL", "RUN", "STATE", "TITLE", "REVIEWERS", "DEADLINE")
DEFINITION_COLUMNS = ("NAME", "VERSION", "SHA-256", "REGISTERED")

Fields = list[tuple[str, str | None]]

SCRIPTED_NOTICE = "scripted model: no AI was asked, this output was played from a file"
"""Stands beside whatever a scripted model wrote."""


def dollars(micros: int) -> str:
    """Return integer micro-USD as `$0.001234`."""
    return f"${micros // 1_000_000}.{micros % 1_000_000:06d}"


def moment(text: str | None) -> str:
    """Return an RFC 3339 instant to the second, in UTC."""
    return text[:19].replace("T", " ") if text else ""


def instant_of(microseconds: int) -> str:
    """Return microseconds since 1970 to the second, in UTC."""
    return datetime.fromtimestamp(microseconds // 1_000_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def compact(value: JsonValue) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def is_scripted(model: str | None) -> bool:
    """Whether a model's id names a file that is played, and no AI."""
    return model is not None and model.startswith("scripted/")


def model_text(model: str) -> str:
    """Return a model's id, marked when it is a scripted model's."""
    return f"{model} (scripted model)" if is_scripted(model) else model


def run_row(run: Run) -> tuple[str, ...]:
    """Return a row of the list of runs."""
    waits_for = "" if run.closed else (run.waits_for or "")
    return (run.run, f"{run.definition} {run.version}", run.status, waits_for, moment(run.created_at), dollars(run.usage.cost_usd_micros))


def run_fields(run: Run) -> Fields:
    """Return everything about one run."""
    usage = run.usage
    used = f"{usage.input_tokens} + {usage.output_tokens} tokens, {dollars(usage.cost_usd_micros)}"
    return [
        ("run", run.run),
        ("definition", f"{run.definition} {run.version}"),
        ("status", run.status),
        ("reason", run.reason),
        ("waits for", None if run.closed else run.waits_for),
        ("error", f"{run.error.code}: {run.error.detail}" if run.error else None),
        ("model", model_text(usage.model) if usage.model else None),
        ("used", used),
        ("started by", run.principal),
        ("started", moment(run.created_at)),
        ("ended", moment(run.closed_at)),
        ("correlation id", run.correlation_id),
        ("data subject", run.subject),
        ("content", f"erased {moment(run.erased_at)}" if run.erased_at else None),
    ]


def progress_line(run: Run) -> str:
    """Return what to say when a run's state changes."""
    why = run.waits_for or run.reason
    return f"{run.status}: {why}" if why and not run.closed else run.status


def approval_row(approval: Approval) -> tuple[str, ...]:
    """Return a row of the inbox."""
    deadline = moment(approval.deadline)
    return (approval.approval, approval.run, approval.state, approval.title, approval.reviewer_role, deadline)


def approval_fields(approval: Approval) -> Fields:
    """Return what a reviewer must know: which calls will run, argument for argument."""
    calls: Fields = [(f"call {call.step}", f"{call.tool} {call.version} {compact(dict(call.arguments))}") for call in approval.calls]
    return [
        ("approval", approval.approval),
        ("run", approval.run),
        ("title", approval.title),
        ("state", approval.state),
        *calls,
        ("known later", ", ".join(approval.unbound)),
        ("hidden", "; ".join(approval.hidden)),
        ("reviewers", ", ".join(approval.reviewer_roles) or approval.reviewer_role),
        *_groups(approval),
        ("requested by", approval.requester),
        ("deadline", moment(approval.deadline)),
        ("decided by", approval.decided_by),
        ("comment", approval.comment),
        ("digest", approval.digest),
    ]


def _groups(approval: Approval) -> Fields:
    """What is asked of each group, and who has said what."""
    groups = approval.standing.groups if approval.standing else []
    shown: Fields = []
    for group in groups:
        yes, no = ", ".join(group.approved_by), ", ".join(group.rejected_by)
        words = [f"{group.quorum} needed", f"yes: {yes}" if yes else "", f"no: {no}" if no else ""]
        shown.append((f"group {group.role}", "; ".join(word for word in words if word)))
    told = [(f"{event.verdict} by {event.principal}", event.comment or moment(event.at)) for event in approval.events]
    return [*shown, *told]


def definition_row(definition: Definition) -> tuple[str, ...]:
    """Return a row of the registry."""
    return (definition.name, definition.version, definition.sha256[:16], moment(definition.registered_at))


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return what the check of a ledger found."""
    if verdict.ok:
        return [f"verified: {verdict.entries} entries of {verdict.run}, head {verdict.head}"]
    return [
        f"NOT VERIFIED: entry {verdict.broken_seq} of {verdict.run} is wrong",
        f"  {verdict.reason}",
        f"  {verdict.entries} entries were downloaded and checked here",
    ]


def verdict_json(verdict: Verdict) -> dict[str, JsonValue]:
    """Return the verdict for programs, in the gateway's words."""
    broken: JsonValue = None if verdict.ok else {"seq": verdict.broken_seq, "reason": verdict.reason}
    return {"run": verdict.run, "ok": verdict.ok, "entries": verdict.entries, "head": verdict.head, "broken": broken}


def trace_lines(trace: Trace) -> list[str]:
    """Return the tree of a run: its steps in order of their first effect, the effects below them, and open approvals."""
    branches: dict[str, list[str]] = {}
    for effect in trace.effects:
        visit = f" (visit {effect.visit})" if effect.visit > 1 else ""
        branches.setdefault(f"{effect.step}{visit}", []).append(_effect_text(effect))
    for approval in trace.approvals:
        branches.setdefault(approval.step, []).append(f"approval  open  {approval.title}  {approval.approval}")
    return [f"{trace.run.run}  {trace.run.definition} {trace.run.version}  {trace.run.status}", *_tree(branches)]


def _tree(branches: dict[str, list[str]]) -> Iterable[str]:
    for place, (step, leaves) in enumerate(branches.items(), start=1):
        last_step = place == len(branches)
        yield f"{'└─' if last_step else '├─'} {step}"
        for number, leaf in enumerate(leaves, start=1):
            yield f"{'   ' if last_step else '│  '}{'└─' if number == len(leaves) else '├─'} {leaf}"


def _effect_text(effect: Effect) -> str:
    parts = [effect.subject or effect.call, effect.state]
    if effect.attempt > 1:
        parts.append(f"attempt {effect.attempt}")
    duration = _milliseconds(effect.started_at, effect.ended_at)
    if duration is not None:
        parts.append(f"{duration} ms")
    if effect.model:
        parts.append(
            f"{model_text(effect.model)}  {effect.input_tokens} + {effect.output_tokens} tokens  {dollars(effect.cost_usd_micros)}"
        )
    if effect.error:
        parts.append(f"{effect.error.code}: {effect.error.detail}")
    return "  ".join(parts)


def _milliseconds(start: str, end: str | None) -> int | None:
    try:
        return round((datetime.fromisoformat(end or "") - datetime.fromisoformat(start)).total_seconds() * 1000)
    except ValueError:
        return None
