"""The command `standfast-verify`: what it writes and its exit codes, and that it runs where nothing of ours is installed."""

import json
import re
from pathlib import Path

import pytest

from standfast_verify.command import BAD_INPUT, NOT_VERIFIED, OK, SHOWN_MAX, main
from tests.architecture.sources import ROOT
from tests.clients.verify.alone import PROJECT, installed, run_alone
from tests.clients.verify.writer import Ledger, Signer, sample_ledger

__all__ = ["installed"]


class Files:
    """Evidence as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger: Ledger = sample_ledger()
        self.bundle = self.write("bundle.json", self.ledger.bundle())
        self.keys = self.write("keys.json", self.ledger.signer.public())
        self.head = self.write("head.json", self.ledger.heads[1])

    def write(self, name: str, value: object) -> str:
        """Write JSON and return its path."""
        path = self.folder / name
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Good evidence in a folder."""
    return Files(tmp_path)


class TestBundle:
    def test_that_is_verified_ends_with_0(self, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["bundle", files.bundle, "--trust", files.keys, "--head", files.head]) == OK
        said = capsys.readouterr().out
        assert said.startswith("VERIFIED: 25 entries of 4 runs of tenant acme\n")
        assert "1 remembered head found to be of this log" in said
        assert "signed 2026-09-21T" in said

    def test_without_trusted_keys_says_that_only_self_consistency_was_proven(
        self, files: Files, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["bundle", files.bundle]) == OK
        said = capsys.readouterr().out
        assert said.startswith("SELF-CONSISTENT: ")
        assert "Only self-consistency was proven" in said

    def test_that_was_tampered_with_ends_with_1_and_names_the_entry(self, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
        bundle = files.ledger.bundle()
        bundle["entries"][3]["recorded_at_us"] += 1
        assert main(["bundle", files.write("bundle.json", bundle), "--trust", files.keys]) == NOT_VERIFIED
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "NOT VERIFIED: 1 problem in 25 entries of 4 runs of tenant acme"
        assert lines[1].startswith("entry 4 of run_a: its hash is not the hash of its stored bytes")
        assert [line.split()[0] for line in lines[2:]] == ["expected", "found"]

    def test_with_many_problems_shows_the_first_ones_and_all_as_json(self, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
        path = files.write("bundle.json", {**files.ledger.bundle(), "tenant": "other"})
        assert main(["bundle", path]) == NOT_VERIFIED
        shown = capsys.readouterr().out
        assert main(["bundle", path, "--json"]) == NOT_VERIFIED
        report = json.loads(capsys.readouterr().out)
        assert report["verdict"] == "not verified"
        assert f"and {len(report['problems']) - SHOWN_MAX} more" in shown
        assert report["problems"][0] | {"expected": "", "found": "", "reason": ""} == {
            "expected": "", "found": "", "reason": "", "run": "run_a", "seq": 1, "tree_size": None, "leaf_index": None, "key_id": None,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("none.json", None, "No such file"),
            ("text.json", b"no", "no JSON: Expecting value in line 1, column 1"),
            ("bytes.json", b'{"a\xff', "byte 3 is no UTF-8 text"),
            ("list.json", b"[]", "expected an object with consistency, entries"),
            ("half.json", b'{"format": "standfast-evidence"}', "lacks consistency, entries"),
        ],
    )
    def test_that_cannot_be_read_ends_with_2_and_says_where(
        self, files: Files, name: str, text: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if text is not None:
            (files.folder / name).write_bytes(text)
        assert main(["bundle", str(files.folder / name)]) == BAD_INPUT
        assert said in capsys.readouterr().err


class TestTrust:
    def test_takes_a_key_a_list_and_an_object(self, files: Files) -> None:
        other = Signer("another").public()
        for value in ([other, files.ledger.signer.public()], {"public_keys": [files.ledger.signer.public()]}):
            assert main(["bundle", files.bundle, "--trust", files.write("more.json", value)]) == OK
        assert main(["bundle", files.bundle, "--trust", files.write("other.json", other), "--trust", files.keys]) == OK
        assert main(["bundle", files.bundle, "--trust", files.write("other.json", other)]) == NOT_VERIFIED

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"key_id": "0" * 16}, "its bytes have the id"),
            ({"public_key": "e30="}, "key 1.public_key: expected 32 bytes in base64"),
            ({"more": 1}, "key 1: has the unknown more"),
            ({"public_keys": []}, "the list is empty"),
        ],
    )
    def test_refuses_a_file_that_holds_no_key(
        self, files: Files, change: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = files.write("bad.json", {**files.ledger.signer.public(), **change})
        assert main(["bundle", files.bundle, "--trust", path]) == BAD_INPUT
        assert said in capsys.readouterr().err

    def test_refuses_one_key_with_two_times(self, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
        path = files.write("two.json", [files.ledger.signer.public(), files.ledger.signer.public(valid_to_us=1)])
        assert main(["bundle", files.bundle, "--trust", path]) == BAD_INPUT
        assert "stands twice" in capsys.readouterr().err


class TestHead:
    def test_takes_a_head_a_list_and_what_gateway_bundle_and_webhook_hold(self, files: Files) -> None:
        heads = files.ledger.heads
        for value in (heads[0], heads, {"tree_heads": heads}, {"items": heads, "next_cursor": None}, {"type": "t", "data": heads[0]}):
            assert main(["bundle", files.bundle, "--head", files.write("heads.json", value)]) == OK

    def test_takes_the_lines_of_an_anchor_file_and_leaves_a_torn_one_out(self, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
        lines = [json.dumps(head) for head in files.ledger.heads]
        path = files.folder / "heads.jsonl"
        path.write_text("\n".join([lines[0], lines[1][:40], lines[1], lines[2], ""]), encoding="utf-8")
        assert main(["bundle", files.bundle, "--head", str(path), "--json"]) == OK
        said = capsys.readouterr()
        assert json.loads(said.out)["remembered"] == 3
        assert "line 2 was left out: no JSON" in said.err

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{\n{", "no JSON"),
            ('{"tenant": "acme"}', "head 1: lacks"),
            ("[7]\n[]", "line 1: expected an object"),
            ("[]", "the list is empty"),
        ],
    )
    def test_refuses_a_file_without_heads(self, files: Files, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
        path = files.folder / "heads.jsonl"
        path.write_text(text, encoding="utf-8")
        assert main(["bundle", files.bundle, "--head", str(path)]) == BAD_INPUT
        assert said in capsys.readouterr().err

    def test_that_another_history_had_is_not_verified(self, files: Files) -> None:
        other = {**files.ledger.heads[0], "root_hash": "1" * 64}
        assert main(["bundle", files.bundle, "--head", files.write("heads.json", other)]) == NOT_VERIFIED


class TestAlone:
    def test_carries_only_itself_and_needs_only_cryptography(self, installed: Path) -> None:
        [info] = installed.glob("*.dist-info")
        assert {path.name for path in installed.iterdir()} == {"standfast_verify", info.name}
        needs = [line for line in (info / "METADATA").read_text(encoding="utf-8").splitlines() if line.startswith("Requires-Dist")]
        assert needs == ["Requires-Dist: cryptography>=42"]
        assert "standfast-verify = standfast_verify.command:main" in (info / "entry_points.txt").read_text(encoding="utf-8")

    def test_verifies_where_nothing_of_ours_is_installed(self, installed: Path, files: Files) -> None:
        done = run_alone(installed, "bundle", files.bundle, "--trust", files.keys, folder=files.folder)
        assert (done.returncode, done.stdout[:10]) == (OK, "VERIFIED: "), done.stderr
        bundle = files.ledger.bundle()
        del bundle["entries"][2]
        done = run_alone(installed, "bundle", files.write("cut.json", bundle), "--trust", files.keys, folder=files.folder)
        assert (done.returncode, "entry 3 of run_a: it is missing" in done.stdout) == (NOT_VERIFIED, True), done.stderr

    def test_says_how_it_is_used(self, installed: Path, tmp_path: Path) -> None:
        assert run_alone(installed, folder=tmp_path).returncode == BAD_INPUT
        done = run_alone(installed, "bundle", "--help", folder=tmp_path)
        assert (done.returncode, all(word in done.stdout for word in ("--trust", "--head", "--json"))) == (0, True)


class TestAuditorsPage:
    PAGE = (ROOT / "docs" / "auditor.md").read_text(encoding="utf-8")

    def test_shows_commands_that_the_verifier_takes(self, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(files.folder)
        files.write("evidence.json", files.ledger.bundle())
        shown = re.findall(r"^\$ standfast-verify (.+)$", self.PAGE + (PROJECT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
        assert len(shown) == 2
        for line in shown:
            assert main(line.split()) == OK

    def test_shows_what_the_verifier_writes(self, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
        main(["bundle", files.bundle])
        advice = capsys.readouterr().out.splitlines()[-2:]
        assert "\n".join(advice) in self.PAGE
        bundle = files.ledger.bundle()
        bundle["entries"][6]["recorded_at_us"] += 1
        main(["bundle", files.write("changed.json", bundle)])
        said = capsys.readouterr().out.splitlines()[1].partition(": ")[2]
        assert said in self.PAGE
