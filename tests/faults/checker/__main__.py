"""`python -m tests.faults.checker FOLDER`: judges the evidence in a folder and prints the verdict as JSON; exit code 1 on violations.

It runs in a process of its own and imports the standard library and psycopg only; it says so by looking at what it has loaded.
"""

import json
import sys
from pathlib import Path

import psycopg

from tests.faults.checker.books import effects_by_claim, judge_claim, judge_keys, judge_money
from tests.faults.checker.chains import judge_chains
from tests.faults.checker.decisions import judge_decisions
from tests.faults.checker.rows import judge_acknowledged, judge_answers, judge_ends, judge_leases, ledger_counts
from tests.faults.checker.verdict import Evidence, Verdict

PRODUCT = {"domain", "activities", "sagas", "workflows", "adapters", "wiring", "api", "cli", "standfast_client", "standfast_sdk"}


def judge(evidence: Evidence) -> Verdict:
    """Judge every invariant that holds for all scenarios with a stack."""
    verdict = Verdict()
    judge_money(evidence, verdict)
    judge_keys(evidence, verdict)
    judge_answers(evidence, verdict)
    with psycopg.connect(evidence.database) as connection:
        runs = judge_acknowledged(evidence, connection, verdict)
        statuses = judge_ends(evidence, connection, verdict)
        judge_leases(connection, verdict)
        judge_chains(connection, verdict)
        judge_decisions(evidence, connection, verdict)
        done = ledger_counts(connection)
    found = effects_by_claim(evidence)
    for claim, asked in evidence.claims.items():
        run = runs.get(claim)
        status = statuses.get(run) if run else None
        verdict.count(f"claims {status}")
        verdict.require(run is not None, f"claim {claim} was never acknowledged")
        effects = found.pop(claim, None)
        wrong = judge_claim(claim, effects, asked.get("effects", evidence.effects), status) if effects is not None else None
        verdict.require(wrong is None, wrong or "")
        if status == "succeeded" and run is not None and "reads" not in asked:
            happened = sum(effects.values()) if effects else 0
            verdict.require(done.get(run, 0) == happened, f"{claim}: {happened} effects outside, {done.get(run, 0)} in the journal")
        expected = asked.get("ends")
        verdict.require(expected is None or status in expected, f"{claim} ended as {status}, not as {expected}")
    verdict.require(not found, f"effects of claims that nobody asked for: {sorted(found)[:3]}")
    return verdict


def main() -> int:
    """Judge and print."""
    verdict = judge(Evidence.read(Path(sys.argv[1])))
    loaded = PRODUCT & {name.partition(".")[0] for name in sys.modules}
    verdict.require(not loaded, f"the checker has loaded the product: {sorted(loaded)}")
    sys.stdout.write(json.dumps({"counts": verdict.counts, "violations": verdict.violations}) + "\n")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
