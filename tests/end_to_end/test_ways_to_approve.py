"""Approving with curl, the CLI and the Python client, and what each door refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from standfast_client import ConflictError, ForbiddenError, InvalidInputError, Standfast, UnauthenticatedError
from tests.end_to_end.conftest import ClientOf, StartRun
from tests.servers.stack import LiveStack

ROOT = Path(__file__).parents[2]


def cli(stack: LiveStack, *words: str, role: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line as a user would, against the stack, with `more` settings."""
    environment = {**os.environ, "STANDFAST_URL": stack.dev["gateway_url"], "STANDFAST_API_KEY": stack.dev["api_keys"][role], **more}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def sum_of(reader: Standfast, run: str) -> object:
    """Wait for the run's result and return its sum."""
    result = reader.runs.handle(run).result(timeout=100)
    assert isinstance(result, dict)
    return result["sum"]


@pytest.mark.timeout(120)
class TestApproving:
    def test_works_with_curl(self, stack: LiveStack, waiting_run: StartRun, client: ClientOf) -> None:
        run, approval = waiting_run(1)
        body = json.dumps({"verdict": "approve", "digest": approval["digest"]})
        key = stack.dev["api_keys"]["approver"]
        url = f"{stack.dev['gateway_url']}/v1/approvals/{approval['approval']}/decision"
        words = ["curl", "-sS", "-X", "POST", url, "-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json", "-d", body]
        said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
        assert json.loads(said)["state"] == "accepted"
        assert sum_of(client("viewer"), run) == 4

    def test_works_with_the_command_line(self, stack: LiveStack, waiting_run: StartRun, client: ClientOf) -> None:
        run, _ = waiting_run(2)
        said = cli(stack, "approve", run, "--comment", "looks right", role="approver")
        assert said.returncode == 0, said.stderr
        assert sum_of(client("viewer"), run) == 6

    def test_works_with_the_python_client(self, waiting_run: StartRun, client: ClientOf) -> None:
        run, approval = waiting_run(3)
        client("approver").approvals.approve(approval["approval"], comment="fine")
        assert sum_of(client("viewer"), run) == 8

    def test_is_refused_the_second_time(self, client: ClientOf, waiting_run: StartRun) -> None:
        _, approval = waiting_run(4)
        client("approver").approvals.approve(approval["approval"])
        with pytest.raises(ConflictError, match="closed") as refused:
            client("approver_2").approvals.reject(approval["approval"])
        assert refused.value.code == "approval-closed"

    def test_is_refused_with_a_stale_digest(self, client: ClientOf, waiting_run: StartRun) -> None:
        _, approval = waiting_run(5)
        with pytest.raises(InvalidInputError) as refused:
            client("approver").approvals.approve(approval["approval"], digest="0" * 64)
        assert refused.value.code == "stale-digest"

    def test_is_refused_to_whoever_lacks_the_role(self, client: ClientOf, waiting_run: StartRun) -> None:
        _, approval = waiting_run(6)
        with pytest.raises(ForbiddenError):
            client("viewer").approvals.approve(approval["approval"])

    def test_leaves_a_ledger_that_the_command_line_verifies_by_itself(
        self, stack: LiveStack, client: ClientOf, waiting_run: StartRun
    ) -> None:
        run, approval = waiting_run(7)
        client("approver").approvals.approve(approval["approval"])
        sum_of(client("viewer"), run)
        said = cli(stack, "verify", run, role="auditor")
        assert said.returncode == 0, said.stdout + said.stderr
        kinds = [entry.kind for entry in client("auditor").runs.handle(run).ledger()]
        assert "human:approval:decided" in kinds


@pytest.mark.timeout(120)
class TestApiKeysMadeBesideTheServer:
    def test_let_somebody_new_approve_until_they_are_revoked(self, stack: LiveStack, waiting_run: StartRun, client: ClientOf) -> None:
        server = {"DATABASE_URL": stack.dev["database_url"], "STANDFAST_STATE_DIR": str(stack.folder), "STANDFAST_ENVIRONMENT": "test"}
        made = cli(stack, "keys", "create", "Ada", "approver", "--reviews", "claims-approver", "--json", role="viewer", **server)
        assert made.returncode == 0, made.stderr
        key = json.loads(made.stdout)
        assert key["key"].startswith("sf_test_")
        run, approval = waiting_run(8)
        with Standfast(stack.dev["gateway_url"], key["key"]) as ada:
            ada.approvals.approve(approval["approval"])
            assert sum_of(client("viewer"), run) == 18
            revoked = cli(stack, "keys", "revoke", key["key_id"], role="viewer", **server)
            assert revoked.returncode == 0, revoked.stderr
            with pytest.raises(UnauthenticatedError):
                ada.runs.list()
        unknown = cli(stack, "keys", "revoke", key["key_id"], "--tenant", "elsewhere", role="viewer", **server)
        assert (unknown.returncode, "there is no key" in unknown.stderr) == (ExitCode.NOT_FOUND, True)
