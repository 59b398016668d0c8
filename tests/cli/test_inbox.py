"""`approvals show assign audit`, `calendars` and `substitutes` against the real gateway."""

import json
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from domain.facts import Fact
from domain.runs import ApprovalClosure, Projection
from standfast_verify.merkle import leaf_hash, proves_inclusion
from tests.api.gateway import Gateway
from tests.api.test_calendars import FRIDAY_AT_FOUR, OFFICE
from tests.api.test_proofs import seal
from tests.cli.command_line import CommandLine


def decided(house: Gateway, run: str, approval: str, *, digest: str | None = None) -> None:
    """Write what a run's worker does when an approver approves: the facts, the effect of the bound call, and the closed row."""
    said = digest or house.temporal.approvals[approval].digest
    who, at = house.principals["approver"].id, "2026-03-01T12:00:00.000000Z"
    kinds = [
        ("workflow:approval:opened", "gate", None, {"approval": approval, "digest": said, "role": "claims-approver"}),
        ("human:approval:decided", "gate", who, {"approval": approval, "digest": said, "verdict": "approve", "acting_for": "prn_lead"}),
        ("agent:tool:called", "settle.pay", None, {"tool": "bank.pay"}),
    ]
    for seq, (kind, step, by, data) in enumerate(kinds, start=1):
        fact = Fact.model_validate({"seq": seq, "kind": kind, "at": at, "epoch": 1, "step": step, "principal": by, "data": data})
        house.stores.database.append("default", run, fact.body(principal="prn_run", correlation_id="c"))
    closed = ApprovalClosure(approval=approval, decision="approve", decision_id="dec_1", decided_by=who, comment="fair", decided_at=at)
    house.project(run, Projection(close_approval=closed), seq=len(kinds))


class TestAudit:
    def test_says_who_approved_exactly_what_with_proofs(self, standfast: CommandLine) -> None:
        house = standfast.live.house
        run = house.start()
        approval = house.open_approval(run)
        decided(house, run, approval)
        seal(house)
        done = standfast("approvals", "audit", run)
        assert done.exit_code == ExitCode.OK, done.output
        who, digest = house.principals["approver"].id, house.temporal.approvals[approval].digest
        assert f"approval:decided: approve by {who} in the place of prn_lead, digest {digest}  [entry " in done.stdout
        assert 'call settle.pay: bank.pay 1.0.0 {"amount": 250}' in done.stdout
        assert f"digest of these calls: {digest}, as in the ledger" in done.stdout
        assert "(ran settle.pay)" in done.stdout
        assert "comment of " in done.stdout
        assert "verified: " in done.stdout

    def test_gives_programs_the_audit_paths(self, standfast: CommandLine) -> None:
        house = standfast.live.house
        run = house.start()
        approval = house.open_approval(run)
        decided(house, run, approval)
        seal(house)
        told = json.loads(standfast("approvals", "audit", approval, "--json").stdout)
        (one,) = told["approvals"]
        assert (told["ok"], one["digest_of_calls"]) == (True, house.temporal.approvals[approval].digest)
        assert [entry["kind"] for entry in one["entries"]] == ["workflow:approval:opened", "human:approval:decided"]
        assert all(entry["proof"]["tree_size"] == told["evidence"]["tree_size"] for entry in [*one["entries"], *one["ran"]])

    def test_covers_the_whole_tenant_without_a_target(self, standfast: CommandLine) -> None:
        house = standfast.live.house
        places = [(run, house.open_approval(run)) for run in (house.start(), house.start())]
        for run, approval in places:
            decided(house, run, approval)
        seal(house)
        told = json.loads(standfast("approvals", "audit", "--json").stdout)
        assert (told["ok"], told["run"]) == (True, None)
        shown = {one["approval"]: one for one in told["approvals"]}
        root = bytes.fromhex(told["evidence"]["root_hash"])
        for entry in [each for one in told["approvals"] for each in (*one["entries"], *one["ran"])]:
            proof, leaf = entry["proof"], leaf_hash(bytes.fromhex(entry["hash"]))
            path = [bytes.fromhex(step) for step in proof["path"]]
            assert proves_inclusion(leaf, proof["leaf_index"], proof["tree_size"], path, root)
        for run, approval in places:
            assert shown[approval]["run"] == run
            assert [entry["step"] for entry in shown[approval]["ran"]] == ["settle.pay"]  # of its own run alone

    def test_finds_calls_that_are_not_those_of_the_ledger(self, standfast: CommandLine) -> None:
        house = standfast.live.house
        run = house.start()
        approval = house.open_approval(run)
        decided(house, run, approval)
        seal(house)
        row = house.stores.database.approvals["default", approval]
        calls = [{**row.projection.calls[0], "arguments": {"amount": 25}}]
        changed = row.model_copy(update={"projection": row.projection.model_copy(update={"calls": calls})})
        house.stores.database.approvals["default", approval] = changed
        done = standfast("approvals", "audit", approval)
        assert done.exit_code == ExitCode.NOT_VERIFIED
        assert "are not those of the digest in the ledger" in done.stdout

    def test_finds_a_ledger_that_says_nothing(self, standfast: CommandLine) -> None:
        approval = standfast.live.house.open_approval(standfast.live.house.start())
        done = standfast("approvals", "audit", approval)
        assert (done.exit_code, "says nothing of approval" in done.stdout) == (ExitCode.NOT_VERIFIED, True)

    @pytest.mark.parametrize("whole_tenant", [True, False])
    def test_names_an_approval_that_only_the_ledger_has(self, standfast: CommandLine, *, whole_tenant: bool) -> None:
        house = standfast.live.house
        run = house.start()
        approval, kept = house.open_approval(run), house.open_approval(house.start())
        decided(house, run, approval)
        seal(house)
        del house.stores.database.approvals["default", approval]
        done = standfast("approvals", "audit", *([] if whole_tenant else [run]))
        assert done.exit_code == ExitCode.NOT_VERIFIED
        assert f"the ledger opened approval {approval}, and the inbox does not have it any more" in done.stdout
        assert f"opened approval {kept}" not in done.stdout

    def test_says_that_nothing_is_sealed_yet(self, standfast: CommandLine) -> None:
        house = standfast.live.house
        run = house.start()
        decided(house, run, house.open_approval(run))
        done = standfast("approvals", "audit", run)
        assert (done.exit_code, "not sealed yet" in done.stdout) == (ExitCode.OK, True)


class TestInbox:
    def test_is_filtered(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        approval = standfast.live.house.open_approval(run)
        for options in (["--run", run], ["--tool", "bank.pay"], ["--mine"], ["--reviewers", "claims-approver", "--order", "opened"]):
            assert approval in standfast("approvals", *options).stdout, options
        for options in (["--tool", "mail.send"], ["--assignee", "me"], ["--decided"], ["--before", "2026-01-05T00:00:00Z"]):
            done = standfast("approvals", *options)
            assert (done.exit_code, approval in done.stdout) == (ExitCode.OK, False), options

    @pytest.mark.parametrize("words", [("approvals",), ("approvals", "show")])
    def test_shows_one_with_what_is_behind_it(self, standfast: CommandLine, words: tuple[str, ...]) -> None:
        run = standfast.live.house.start()
        approval = standfast.live.house.open_approval(run)
        told = {"provenance": [{"step": "settle.pay", "argument": "amount", "origins": [{"source": "model", "step": "review"}]}]}
        row = standfast.live.house.stores.database.approvals["default", approval]
        shown = row.projection.model_validate({**row.projection.model_dump(), **told})
        standfast.live.house.stores.database.approvals["default", approval] = row.model_copy(update={"projection": shown})
        for target in (run, approval):
            done = standfast(*words, target)
            assert done.exit_code == ExitCode.OK, done.output
            assert "from settle.pay.amount" in done.stdout
            assert "model review" in done.stdout

    def test_is_shared_out(self, standfast: CommandLine) -> None:
        approval = standfast.live.house.open_approval(standfast.live.house.start())
        assert "assigned to prn_" in standfast("approvals", "assign", approval).stdout
        taken = standfast("approvals", "assign", approval, "--role", "approver_2")
        assert (taken.exit_code, "--take-over" in taken.stderr or "take it over" in taken.stderr) == (ExitCode.REFUSED, True)
        assert "assigned to nobody" in standfast("approvals", "assign", approval, "--release").stdout


class TestCalendars:
    def test_are_put_shown_and_retired(self, standfast: CommandLine, tmp_path: Path) -> None:
        file = tmp_path / "office.json"
        file.write_text(json.dumps(OFFICE), encoding="utf-8")
        assert standfast("calendars", "put", "office", str(file)).exit_code == ExitCode.OK
        assert "mon 09:00–17:00, fri 09:00–17:00" in standfast("calendars").stdout
        assert "Christmas Day" in standfast("calendars", "show", "office").stdout
        assert "2 h  2026-06-08T08:00:00.000000Z" in standfast("calendars", "instants", "office", FRIDAY_AT_FOUR, "0", "2").stdout
        assert standfast("calendars", "retire", "office").exit_code == ExitCode.OK
        assert standfast("calendars").stderr == "no calendars\n"


class TestSubstitutes:
    def test_are_named_and_ended(self, standfast: CommandLine) -> None:
        other = standfast.live.house.principals["approver_2"].id
        made = standfast("substitutes", "set", other, "2026-01-09T00:00:00Z", "--reviewers", "claims-approver", "--json")
        assert made.exit_code == ExitCode.OK, made.output
        (row,) = json.loads(made.stdout)
        assert row["substitution"] in standfast("substitutes").stdout
        assert standfast("substitutes", "end", row["substitution"]).exit_code == ExitCode.OK
        assert standfast("substitutes").stderr == "no substitutes\n"
        assert row["substitution"] in standfast("substitutes", "--all").stdout
