"""A whole run rewritten by a superuser of PostgreSQL, every hash made to fit: the stand-alone verifier sees it."""

import base64
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from standfast_verify.command import NOT_VERIFIED, OK
from tests.clients.verify.alone import installed, run_alone
from tests.clients.verify.trees import tree_root
from tests.clients.verify.writer import entry_hash
from tests.faults.payout import Payouts

__all__ = ["installed"]

Json = dict[str, Any]  # Any: tests index into answers whose shape they are there to check


class Auditor:
    """Downloads evidence with the auditor's key and checks it with the verifier alone."""

    def __init__(self, payouts: Payouts, installed: Path, folder: Path) -> None:
        self._payouts = payouts
        self._installed = installed
        self.folder = folder

    def get(self, path: str, **query: object) -> Json:
        """Ask the gateway."""
        with self._payouts.stack.api("auditor") as api:
            answer = api.get(f"/v1{path}", params={name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def keep(self, name: str, value: object) -> str:
        """Write a file."""
        path = self.folder / name
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)

    def verify(self, bundle: Json, *, keys: str, head: str | None = None) -> tuple[int, Json]:
        """Return the exit code and the report of `standfast-verify`."""
        remembered = [] if head is None else ["--head", head]
        file = self.keep("bundle.json", bundle)
        done = run_alone(self._installed, "bundle", file, "--trust", keys, *remembered, "--json", folder=self.folder)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def auditor(payouts: Payouts, installed: Path, tmp_path: Path) -> Auditor:
    """An auditor of the stack."""
    return Auditor(payouts, installed, tmp_path)


def rewritten(run: str, entries: list[Json], tenant: str) -> list[Json]:
    """Return the entries of a run that paid another principal's way, with every hash made to fit."""
    forged: list[Json] = []
    prev = "0" * 64
    for entry in entries:
        body = json.loads(base64.b64decode(entry["body"])) | {"principal": "prn_00000000000000000000000000"}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        fresh = {**entry, "run": run, "prev_hash": prev, "body": base64.b64encode(text).decode()}
        prev = fresh["hash"] = entry_hash(tenant, fresh)
        forged.append(fresh)
    return forged


def store(owner: psycopg.Connection, run: str, forged: list[Json]) -> None:
    """Put forged entries into the ledger and the log's leaves, past every trigger, as a superuser can."""
    owner.execute("SET session_replication_role = replica")
    for entry in forged:
        row = (bytes.fromhex(entry["prev_hash"]), bytes.fromhex(entry["hash"]), base64.b64decode(entry["body"]), run, entry["seq"])
        owner.execute(
            "UPDATE ledger_entries SET prev = %s, hash = %s, body = %s, principal = 'prn_00000000000000000000000000'"
            " WHERE run = %s AND seq = %s",
            row,
        )
        owner.execute("UPDATE ledger_leaves SET entry_hash = %s WHERE run = %s AND seq = %s", (row[1], run, entry["seq"]))
    owner.execute("UPDATE runs SET head_hash = %s WHERE run = %s", (bytes.fromhex(forged[-1]["hash"]), run))


@pytest.mark.timeout(180)
class TestRunRewrittenByASuperuser:
    def test_is_caught_by_the_signed_heads_and_when_signed_anew_by_a_remembered_one(self, payouts: Payouts, auditor: Auditor) -> None:
        run = payouts.start("rewritten")
        payouts.end(run)
        head = auditor.keep("head.json", payouts.sealed(run)["tree_heads"][-1])
        keys = auditor.keep("keys.json", auditor.get("/ledger/keys"))
        honest = auditor.get(f"/runs/{run}/ledger/bundle")
        code, report = auditor.verify(honest, keys=keys, head=head)
        assert (code, report["verdict"], report["problems"]) == (OK, "verified", [])
        assert report["entries"] == report["sealed"] == len(honest["entries"])
        assert auditor.verify(auditor.get("/ledger/bundle"), keys=keys, head=head)[0] == OK

        forged = rewritten(run, honest["entries"], honest["tenant"])
        with psycopg.connect(payouts.stack.dev["database_owner_url"]) as owner:
            store(owner, run, forged)
        assert payouts.verified(run)["ok"], "the chain alone fits"

        for path in (f"/runs/{run}/ledger/bundle", "/ledger/bundle"):
            code, report = auditor.verify(auditor.get(path), keys=keys, head=head)
            assert code == NOT_VERIFIED
            assert report["problems"], "the signed heads do not fit"

        self._sign_anew(payouts, auditor, run)
        for path in (f"/runs/{run}/ledger/bundle", "/ledger/bundle"):
            code, report = auditor.verify(auditor.get(path), keys=keys)
            assert (code, report["problems"]) == (OK, []), "a log signed anew with the right key fits itself"
            code, report = auditor.verify(auditor.get(path, since=json.loads(Path(head).read_text())["tree_size"]), keys=keys, head=head)
            assert code == NOT_VERIFIED
            assert {problem["tree_size"] for problem in report["problems"]} == {json.loads(Path(head).read_text())["tree_size"]}

    def _sign_anew(self, payouts: Payouts, auditor: Auditor, run: str) -> None:
        """Throw the log away and let the platform's own sealer sign the forged ledger."""
        with psycopg.connect(payouts.stack.dev["database_owner_url"]) as owner:
            owner.execute("SET session_replication_role = replica")
            owner.execute("SELECT FROM sealers FOR UPDATE")  # or a batch that is being sealed is signed onto the log that is thrown away
            owner.execute("DELETE FROM ledger_leaves; DELETE FROM ledger_nodes; DELETE FROM anchor_deliveries; DELETE FROM tree_heads")
            owner.execute("UPDATE runs SET unsealed = true")
        head = payouts.sealed(run)["tree_heads"][-1]
        bundle = auditor.get("/ledger/bundle")
        leaves = sorted((entry["leaf_index"], entry["hash"]) for entry in bundle["entries"] if entry["leaf_index"] is not None)
        assert tree_root([bytes.fromhex(leaf) for _, leaf in leaves[: head["tree_size"]]]).hex() == head["root_hash"]
