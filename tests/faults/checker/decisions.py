"""Judges decisions: each counts at most once, none by the requester, none is lost, and what was refused counts nowhere."""

import json
from collections import Counter
from typing import Any

import psycopg

from tests.faults.checker.verdict import Evidence, Verdict

TAKEN = ("voted", "decided", "amended", "info_requested", "info_given", "extended", "delegated", "withdrawn")
"""What happened to an approval by people, as the last part of a ledger kind."""

ENTRIES = "SELECT run, kind, principal, body FROM ledger_entries WHERE kind LIKE 'human:approval:%' ORDER BY run, seq"
ROWS = "SELECT approval, state, requester, exclude_requester, decision_id FROM approvals"
DECISIONS = "SELECT decision_id, approval, state, verdict FROM decisions"


def judge_decisions(evidence: Evidence, connection: psycopg.Connection[Any], verdict: Verdict) -> None:
    """Compare the stored decisions, the inbox and the client's log with the ledger."""
    taken: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    inbox = {row[0]: row[1:] for row in connection.execute(ROWS).fetchall()}
    for run, kind, principal, body in connection.execute(ENTRIES).fetchall():
        said = json.loads(bytes(body))["data"]
        taken[said["decision"]] += 1
        ended[said["approval"]] += kind == "human:approval:decided"
        verdict.count("decisions in ledgers")
        _state, requester, excluded, _by = inbox[said["approval"]]
        voted = kind in ("human:approval:voted", "human:approval:decided")
        verdict.require(not (voted and excluded and principal == requester), f"{run}: {principal} decided what they asked for")
    for decision, count in taken.items():
        verdict.require(count == 1, f"decision {decision} counts {count} times")
    for approval, count in ended.items():
        verdict.require(count <= 1, f"approval {approval} was decided {count} times")
    for approval, (state, *_, by) in inbox.items():
        verdict.count(f"approvals {state}")
        verdict.require(state != "open", f"approval {approval} is still open")
        verdict.require(by is None or taken[by] == 1, f"approval {approval} was ended by {by}, and no ledger says so")
    judge_rows(evidence, connection, verdict, taken)


def judge_rows(evidence: Evidence, connection: psycopg.Connection[Any], verdict: Verdict, taken: "Counter[str]") -> None:
    """Every stored decision is terminal, and so as the ledger has it; every one that was acknowledged is stored."""
    stored: dict[str, str] = {}
    for decision, approval, state, said in connection.execute(DECISIONS).fetchall():
        stored[decision] = state
        verdict.require(state in ("accepted", "refused"), f"decision {decision} ({said}) on {approval} is left as {state}")
        verdict.require(state != "accepted" or taken[decision] == 1, f"decision {decision} ({said}) was accepted and counts nowhere: lost")
        verdict.require(state != "refused" or taken[decision] == 0, f"decision {decision} ({said}) was refused and counts")
    for answer in evidence.acknowledged():
        if answer["path"].endswith("/decision"):
            verdict.count("acknowledged decisions")
            known = json.loads(answer["body"])["decision_id"]
            verdict.require(known in stored, f"decision {known} was acknowledged and is not stored")
