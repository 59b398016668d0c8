"""`standfast policy test`, which needs nothing but this machine."""

import json
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from cli.local import policy_test
from cli.options import PolicyTestOptions

EXAMPLE = Path(__file__).parents[2] / "examples" / "policies" / "tests.yaml"
CALL = "{tool: bank.pay, effect_class: money}"


def played(path: Path, capsys: pytest.CaptureFixture[str], *, json_output: bool = False) -> tuple[int, str]:
    """Play a file; return the exit code and what was written."""
    code = policy_test.run(PolicyTestOptions(path=path, json_output=json_output))
    written = capsys.readouterr()
    return code, written.out + written.err


def written(folder: Path, tests: str, policies: str | None = None) -> Path:
    """Write a file of tests."""
    path = folder / "tests.yaml"
    named = ""
    if policies is not None:
        (folder / "p.cedar").write_text(policies, encoding="utf-8")
        named = "policies: p.cedar\n"
    path.write_text(f"{named}tests:\n{tests}", encoding="utf-8")
    return path


class TestPolicyTest:
    def test_passes_on_the_example(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out = played(EXAMPLE, capsys)
        assert (code, out.splitlines()[-1]) == (ExitCode.OK, "8 of 8 tests pass")
        assert "ok     a small refund needs nobody: allow by small-refunds" in out

    def test_fails_with_the_reason(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = written(tmp_path, f"  - {{name: pays, call: {CALL}, expect: allow}}\n")
        code, out = played(path, capsys)
        assert code == ExitCode.FAILURE
        assert "FAILED pays: expected allow, got require_approval: permitted by agent-changes-with-a-person once" in out
        code, out = played(path, capsys, json_output=True)
        assert (code, json.loads(out)["ok"]) == (ExitCode.FAILURE, False)

    @pytest.mark.parametrize(
        ("tests", "policies", "told"),
        [
            ("  - {name: a}\n", None, "tests.0.call: Field required"),
            (f"  - {{name: a, call: {CALL[:-1]}, efect: x}}, expect: allow}}\n", None, "tests.0.call.efect"),
            (f"  - {{name: a, call: {CALL}, expect: maybe}}\n", None, "tests.0.expect"),
            (f"  - {{name: a, call: {CALL}, expect: deny}}\n", "permit(principal", "p.cedar: these are no Cedar policies"),
            ("  - {name: a, call: [\n", None, "tests.yaml"),
        ],
    )
    def test_says_what_it_cannot_read(
        self, tests: str, policies: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, out = played(written(tmp_path, tests, policies), capsys)
        assert code == ExitCode.USAGE
        assert told in out

    def test_says_when_a_file_is_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert played(tmp_path / "none.yaml", capsys)[0] == ExitCode.USAGE
