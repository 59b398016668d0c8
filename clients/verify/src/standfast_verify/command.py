"""The command `standfast-verify`.

Exit codes: 0 verified, or self-consistent without --trust; 1 something is wrong or missing; 2 a file or the command line cannot be read.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from standfast_verify.bundle import read_bundle
from standfast_verify.findings import BadInput, Report, Verdict, counted
from standfast_verify.trust import read_heads, read_keys
from standfast_verify.verification import verify_bundle

OK, NOT_VERIFIED, BAD_INPUT = 0, 1, 2
SHOWN_MAX = 20
"""Problems on the screen; `--json` has all."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = _parser().parse_args(arguments)
    try:
        trusted = read_keys(given.trust) if given.trust else None
        remembered = read_heads(given.head)
        report = verify_bundle(read_bundle(given.file), trusted=trusted, remembered=remembered.heads)
    except BadInput as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    sys.stderr.writelines(f"note: {note}\n" for note in remembered.notes)
    sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n" if given.json else "\n".join(report_lines(report)) + "\n")
    return NOT_VERIFIED if report.problems else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="standfast-verify",
        description="Checks Standfast evidence offline, with no code of the platform.",
        epilog="Exit codes: 0 verified (or self-consistent, without --trust), 1 not verified, 2 a file or the command line cannot be read.",
    )
    bundle = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("bundle", help="check an evidence bundle")
    bundle.add_argument("file", type=Path, metavar="FILE", help="the evidence bundle")
    bundle.add_argument(
        "--trust", type=Path, action="append", metavar="KEYFILE", default=[], help="public keys you got by another way; may be repeated"
    )
    bundle.add_argument(
        "--head", type=Path, action="append", metavar="FILE", default=[], help="tree heads you kept from earlier; may be repeated"
    )
    bundle.add_argument("--json", action="store_true", help="write the whole report as JSON")
    return parser


def report_lines(report: Report) -> list[str]:
    """Return the report for the screen."""
    if report.problems:
        return _wrong_lines(report)
    lines = [f"{report.verdict.upper()}: {_counts(report)} of tenant {report.tenant}"]
    lines.append("  chain    every entry follows the one before, and every hash was recomputed from the stored bytes")
    if report.heads:
        signed = (_EPOCH + timedelta(microseconds=report.signed_at_us)).isoformat(timespec="seconds")
        lines.append(
            f"  log      {report.sealed} of them in the signed log of {counted(report.tree_size, 'leaf', 'leaves')}, signed {signed}"
        )
        lines.append(f"           root {report.root_hash}")
    if report.remembered:
        lines.append(f"  memory   {counted(report.remembered, 'remembered head', 'remembered heads')} found to be of this log")
    lines += [f"  note     {note}" for note in report.notes]
    if report.verdict is Verdict.SELF_CONSISTENT:
        lines += [
            "Only self-consistency was proven: the keys came with the bundle, and whoever made it can have made them too.",
            "Give the keys that you got by another way: --trust KEYFILE",
        ]
    return lines


def _counts(report: Report) -> str:
    return f"{counted(report.entries, 'entry', 'entries')} of {counted(report.runs, 'run', 'runs')}"


def _wrong_lines(report: Report) -> list[str]:
    count = len(report.problems)
    lines = [f"NOT VERIFIED: {counted(count, 'problem', 'problems')} in {_counts(report)} of tenant {report.tenant}"]
    for problem in report.problems[:SHOWN_MAX]:
        lines += problem.lines()
    if count > SHOWN_MAX:
        lines.append(f"and {count - SHOWN_MAX} more: --json has all")
    return lines
