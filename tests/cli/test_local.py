"""Commands that look at or start something on this machine."""

import json
import sys
from pathlib import Path
from types import MappingProxyType

import pytest
from pydantic import SecretStr

from adapters.codec.master_key import load_or_create_master_key
from cli.exit_codes import ExitCode
from cli.local.dev_views import without_password
from cli.local.doctor import models_finding, python_finding
from cli.local.validate import bundle_of
from domain.errors import StandfastError
from tests.api.gateway import CLAIM
from tests.cli.command_line import in_process
from wiring.api_keys import create_key_command
from wiring.settings import ModelSettings

PURE = """standfast: 1
name: pure
version: 1.0.0
input: {schema: {type: object}}
do:
  - total: {set: {value: 3}}
output: "${ steps.total.output }"
"""


class TestValidate:
    def test_accepts_what_could_be_registered(self, tmp_path: Path) -> None:
        (tmp_path / "pure.yaml").write_text(PURE, encoding="utf-8")
        done = in_process("validate", "pure.yaml", folder=tmp_path)
        assert (done.returncode, done.stdout[:15]) == (ExitCode.OK, "ok: pure 1.0.0,"), done.stderr

    def test_says_file_line_column_and_what_to_write(self, tmp_path: Path) -> None:
        (tmp_path / "bundle").mkdir()
        (tmp_path / "bundle" / "pure.yaml").write_text(PURE.replace("set:", "sett:"), encoding="utf-8")
        done = in_process("validate", "bundle", folder=tmp_path)
        assert done.returncode == ExitCode.FAILURE
        assert done.stdout.startswith("bundle/pure.yaml:6:13: ")
        assert "`set`" in done.stdout
        told = json.loads(in_process("validate", "bundle", "--json", folder=tmp_path).stdout)
        assert (told["ok"], told["problems"][0]["line"]) == (False, 6)

    def test_refuses_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        assert in_process("validate", "nowhere.yaml", folder=tmp_path).returncode == ExitCode.USAGE

    def test_reads_a_file_with_what_lies_beside_it_save_other_definitions(self, tmp_path: Path) -> None:
        (tmp_path / "pure.yaml").write_text(PURE, encoding="utf-8")
        (tmp_path / "other.yaml").write_text(CLAIM, encoding="utf-8")
        (tmp_path / "prompt.md").write_text("Review.", encoding="utf-8")
        folder, files = bundle_of(tmp_path / "pure.yaml")
        assert (folder, set(files)) == (tmp_path, {"pure.yaml", "prompt.md"})


class TestDoctor:
    def test_finds_what_this_machine_has(self, tmp_path: Path) -> None:
        done = in_process("doctor", "--json", folder=tmp_path)
        found = {each["what"]: each for each in json.loads(done.stdout)}
        assert found["python"]["state"] == "ok"
        assert found["postgresql"]["state"] == "ok"
        assert found["sandbox monty"]["state"] == "ok"
        assert {"sandbox bubblewrap", "sandbox docker", "sandbox gvisor", "sandbox wasm", "master key", "gateway port"} <= set(found)
        assert all(each["advice"] for each in found.values() if each["state"] == "missing")
        assert found["local stack"]["advice"] == "start it with `standfast dev`"
        assert done.returncode in (ExitCode.OK, ExitCode.FAILURE)

    def test_says_that_an_outside_temporal_does_not_answer(self, tmp_path: Path) -> None:
        done = in_process("doctor", folder=tmp_path, TEMPORAL_ADDRESS="127.0.0.1:9")
        assert done.returncode == ExitCode.FAILURE
        assert "missing: temporal server" in done.stderr

    def test_knows_every_provider_of_models_that_a_worker_knows(self) -> None:
        plain = ModelSettings()
        assert "gemini" in models_finding(plain.model_copy(update={"gemini_api_key": SecretStr("k")})).found.split(", ")
        assert "bedrock" in models_finding(plain.model_copy(update={"aws_region": "eu-central-1"})).found.split(", ")
        half = models_finding(plain.model_copy(update={"azure_endpoint": "https://a.example", "azure_api_key": None}))
        assert (half.state, "AZURE_OPENAI_API_KEY" in half.advice) == ("missing", True)

    @pytest.mark.parametrize(("version", "state"), [((3, 10, 9), "missing"), (sys.version_info[:3], "ok"), ((3, 14, 0), "missing")])
    def test_judges_the_python(self, version: tuple[int, int, int], state: str) -> None:
        assert python_finding(version).state == state


class TestDev:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("postgresql://app:s3cr:et@db.example:5432/standfast", "postgresql://app@db.example:5432/standfast"),
            ("postgresql://app:s3cret@/standfast?host=%2Frun", "postgresql://app@/standfast?host=%2Frun"),
            (
                "postgresql://db/standfast?user=app&password=s3cret&sslmode=require",
                "postgresql://db/standfast?user=app&password=…&sslmode=require",
            ),
            ("postgresql://app@db/standfast", "postgresql://app@db/standfast"),
        ],
    )
    def test_shows_where_the_database_is_without_its_password(self, url: str, shown: str) -> None:
        assert without_password(url) == shown

    def test_says_that_nothing_runs(self, tmp_path: Path) -> None:
        done = in_process("dev", "--status", folder=tmp_path)
        assert (done.returncode, "nothing runs" in done.stderr) == (ExitCode.UNAVAILABLE, True)
        assert in_process("dev", "--stop", folder=tmp_path).returncode == ExitCode.OK

    def test_deletes_nothing_unasked(self, tmp_path: Path) -> None:
        data = tmp_path / "state" / "postgres"
        data.mkdir(parents=True)
        refused = in_process("dev", "--reset", "--state-dir", "state", folder=tmp_path)
        assert (refused.returncode, data.exists()) == (ExitCode.REFUSED, True)
        agreed = in_process("dev", "--reset", "--yes", "--state-dir", "state", folder=tmp_path)
        assert (agreed.returncode, data.exists()) == (ExitCode.OK, False)

    def test_refuses_options_that_exclude_each_other(self, tmp_path: Path) -> None:
        assert in_process("dev", "--stop", "--detach", folder=tmp_path).returncode == ExitCode.USAGE


class TestKeys:
    WHERE = MappingProxyType({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})

    def test_are_not_made_under_another_master_key_than_the_gateways(self, tmp_path: Path) -> None:
        done = in_process("keys", "create", "Ada", "admin", folder=tmp_path, **self.WHERE)
        assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.USAGE, False)
        assert "there is no master key at .standfast/master.key: call this where the gateway runs" in done.stderr
        assert not (tmp_path / ".standfast").exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("Ada", "boss", "acme"), "'boss' is no role"),
            ((" ", "admin", "acme"), "the name is for people"),
            (("Ada", "admin", "A B"), "A B"),
        ],
    )
    def test_need_a_name_a_role_and_a_tenant(
        self, words: tuple[str, str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name, role, tenant = words
        monkeypatch.setenv("STANDFAST_STATE_DIR", str(tmp_path))
        load_or_create_master_key(tmp_path / "master.key")
        with pytest.raises(StandfastError, match=said):
            create_key_command(tenant, name=name, role=role, reviewer_roles=())

    def test_say_that_no_database_answers(self, tmp_path: Path) -> None:
        done = in_process("keys", "revoke", "0" * 26, folder=tmp_path, **self.WHERE)
        assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.UNAVAILABLE, False)
        assert "PostgreSQL does not answer" in done.stderr


class TestParts:
    @pytest.mark.parametrize(
        ("part", "setting"), [("worker", "DATABASE_URL"), ("gateway", "DATABASE_URL"), ("migrate", "STANDFAST_DATABASE_OWNER_URL")]
    )
    def test_name_the_setting_they_lack(self, part: str, setting: str, tmp_path: Path) -> None:
        done = in_process(part, folder=tmp_path)
        assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.USAGE, False)
        assert f"{setting} is not set" in done.stderr + done.stdout
