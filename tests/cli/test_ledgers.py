"""`verify`, `ledger export heads keys` and `keys rotate-signing` against the real gateway."""

import json
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from tests.api.test_ledger import grown
from tests.api.test_proofs import seal
from tests.cli.command_line import CommandLine
from tests.domain.test_ledger import rechained


def rewrite(standfast: CommandLine, run: str) -> None:
    """Rewrite a run's whole chain so that it fits itself, as a superuser of the database can."""
    database = standfast.live.house.stores.database
    rows = [
        entry.model_copy(update={"body": entry.body.replace(b"cancel_requested", b"cancel_regretted")})
        for entry in database.entries["default", run]
    ]
    old, new = "cancel_requested", "cancel_regretted"
    chain = database.entries["default", run]
    rows = [
        entry.model_copy(update={"body": entry.body.replace(old.encode(), new.encode()), "kind": entry.kind.replace(old, new)})
        for entry in chain
    ]
    database.entries["default", run] = rechained(rows)
    last = database.entries["default", run][-1]
    database.change_run("default", run, head_seq=last.seq, head_hash=last.hash.hex())


@pytest.fixture(name="run")
def _run(standfast: CommandLine) -> str:
    """A run of three entries, sealed under the second of two heads."""
    grown(standfast.live.house, 2)
    seal(standfast.live.house)
    run = grown(standfast.live.house, 3)
    seal(standfast.live.house)
    return run


class TestVerifyRun:
    def test_finds_it_in_the_signed_log(self, standfast: CommandLine, run: str) -> None:
        done = standfast("verify", run)
        assert (done.exit_code, done.stdout[:23]) == (ExitCode.OK, "verified: 3 entries of ")
        assert "sealed: 3 of 3 entries are in the signed log of 5 leaves" in done.stdout
        assert "--trust KEYFILE" in done.stdout

    def test_says_that_it_is_not_sealed_yet(self, standfast: CommandLine) -> None:
        done = standfast("verify", standfast.live.house.start())
        assert (done.exit_code, "not sealed yet" in done.stdout) == (ExitCode.OK, True)

    def test_takes_keys_and_heads_kept_from_earlier(self, standfast: CommandLine, run: str, tmp_path: Path) -> None:
        keys, heads = tmp_path / "keys.json", tmp_path / "heads.json"
        keys.write_text(standfast("ledger", "keys", "--json").stdout)
        heads.write_text(standfast("ledger", "heads", "--json").stdout)
        grown(standfast.live.house, 4)
        standfast("keys", "rotate-signing")
        seal(standfast.live.house)
        refused = standfast("verify", run, "--trust", str(keys), "--head", str(heads))
        assert (refused.exit_code, "NOT VERIFIED" in refused.stdout) == (ExitCode.NOT_VERIFIED, True)
        keys.write_text(standfast("ledger", "keys", "--json").stdout)
        done = standfast("verify", run, "--trust", str(keys), "--head", str(heads))
        assert (done.exit_code, "2 remembered head(s)" in done.stdout) == (ExitCode.OK, True), done.output
        assert "signed by keys you trust" in done.stdout
        whole = standfast("verify", "--tenant", "--trust", str(keys), "--head", str(heads), "--json")
        assert (whole.exit_code, json.loads(whole.stdout)["verdict"]) == (ExitCode.OK, "verified")

    def test_finds_a_chain_that_was_rewritten_whole(self, standfast: CommandLine, run: str) -> None:
        rewrite(standfast, run)
        done = standfast("verify", run)
        assert done.exit_code == ExitCode.NOT_VERIFIED
        assert done.stdout.startswith("verified: 3 entries")  # the chain alone cannot tell
        assert f"entry 2 of {run}" in done.stdout
        said = json.loads(standfast("verify", run, "--json").stdout)
        assert (said["ok"], {problem["seq"] for problem in said["sealing"]["problems"]}) == (True, {2, 3})

    def test_finds_a_log_that_was_cut_after_a_head_was_kept(self, standfast: CommandLine, run: str, tmp_path: Path) -> None:
        heads = tmp_path / "anchor.jsonl"
        kept = json.loads(standfast("ledger", "heads", "--json").stdout)
        heads.write_text("".join(json.dumps(head) + "\n" for head in kept))
        log = standfast.live.house.stores.log.log_of("default")
        del log.heads[1:], log.leaves[2:]
        done = standfast("verify", run, "--head", str(heads))
        assert (done.exit_code, "the log was longer" in done.stdout) == (ExitCode.NOT_VERIFIED, True), done.output

    @pytest.mark.parametrize("arguments", [(), ("run_1", "--tenant"), ("--tenant", "--bundle", "x")])
    def test_wants_one_thing_to_verify(self, standfast: CommandLine, arguments: tuple[str, ...]) -> None:
        done = standfast("verify", *arguments)
        assert (done.exit_code, "give a RUN, or --tenant, or --bundle" in done.output) == (ExitCode.USAGE, True)


class TestVerifyBundle:
    def test_needs_no_gateway(self, standfast: CommandLine, run: str, tmp_path: Path) -> None:
        bundle = tmp_path / "evidence.json"
        exported = standfast("ledger", "export", run, "-o", str(bundle))
        assert (exported.exit_code, f"standfast verify --bundle {bundle}" in exported.stderr) == (ExitCode.OK, True)
        for row in standfast.live.house.keys:
            standfast.live.house.keys[row] = "gone"
        done = standfast("verify", "--bundle", str(bundle))
        assert (done.exit_code, done.stdout.startswith("SELF-CONSISTENT")) == (ExitCode.OK, True)

    def test_names_what_is_wrong_in_it(self, standfast: CommandLine, run: str, tmp_path: Path) -> None:
        bundle = tmp_path / "evidence.json"
        standfast("ledger", "export", "--tenant", "-o", str(bundle))
        content = json.loads(bundle.read_text())
        place = next(number for number, entry in enumerate(content["entries"]) if (entry["run"], entry["seq"]) == (run, 2))
        content["entries"][place]["recorded_at_us"] += 1
        bundle.write_text(json.dumps(content))
        done = standfast("verify", "--bundle", str(bundle), "--json")
        problem = json.loads(done.stdout)["problems"][0]
        assert (done.exit_code, problem["run"], problem["seq"]) == (ExitCode.NOT_VERIFIED, run, 2)

    @pytest.mark.parametrize("content", ["", "{}", "[1"])
    def test_that_is_none_is_said(self, standfast: CommandLine, tmp_path: Path, content: str) -> None:
        bundle = tmp_path / "evidence.json"
        bundle.write_text(content)
        done = standfast("verify", "--bundle", str(bundle))
        assert (done.exit_code, "error:" in done.stderr) == (ExitCode.USAGE, True)

    def test_of_another_tenant_than_the_heads_is_said(self, standfast: CommandLine, run: str, tmp_path: Path) -> None:
        bundle, heads = tmp_path / "evidence.json", tmp_path / "heads.json"
        standfast("ledger", "export", run, "-o", str(bundle))
        kept = json.loads(standfast("ledger", "heads", "--json").stdout)
        heads.write_text(json.dumps([{**head, "tenant": "other"} for head in kept]))
        done = standfast("verify", "--bundle", str(bundle), "--head", str(heads))
        assert (done.exit_code, "of tenant default" in done.stderr) == (ExitCode.USAGE, True)


class TestExport:
    def test_writes_to_standard_output_too(self, standfast: CommandLine, run: str) -> None:
        assert json.loads(standfast("ledger", "export", run, "-o", "-").stdout)["run"] == run
        assert json.loads(standfast("ledger", "export", "--tenant", "-o", "-", "--since", "2").stdout)["consistency"][0]["from_size"] == 2

    def test_wants_a_run_or_the_tenant_and_a_file_it_can_write(self, standfast: CommandLine, run: str, tmp_path: Path) -> None:
        assert standfast("ledger", "export", "-o", "x").exit_code == ExitCode.USAGE
        assert standfast("ledger", "export", run, "--tenant", "-o", "x").exit_code == ExitCode.USAGE
        done = standfast("ledger", "export", run, "-o", str(tmp_path))
        assert (done.exit_code, "cannot be written" in done.output) == (ExitCode.USAGE, True)


class TestLists:
    def test_show_heads_and_keys(self, standfast: CommandLine, run: str) -> None:
        del run
        assert standfast("ledger", "heads", "--limit", "1").stdout.splitlines()[1].startswith("5 ")
        made = standfast("keys", "rotate-signing").stdout.strip()
        listed = standfast("ledger", "keys").stdout.splitlines()
        assert (len(listed), listed[2].split()[0]) == (3, made)
        assert json.loads(standfast("keys", "rotate-signing", "--json").stdout)["algorithm"] == "Ed25519"

    def test_say_that_there_is_nothing_yet(self, standfast: CommandLine) -> None:
        assert "no head is signed yet" in standfast("ledger", "heads").stderr
        assert "no key is in use yet" in standfast("ledger", "keys").stderr
