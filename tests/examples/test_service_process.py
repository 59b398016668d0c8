"""Each service is a process of its own whose store outlives it, and which knows nothing of the platform."""

import ast
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from examples.delay_claim.services.call_store import CallStore
from tests.examples.bank_calls import AMOUNT, pay, reserve
from tests.examples.running_service import ROOT, StartService, wait_until

SERVICES = ROOT / "examples" / "delay_claim" / "services"


class TestServiceProcess:
    """Start, crash, restart, stop."""

    def test_what_was_paid_survives_kill_9(self, tmp_path: Path, start: StartService) -> None:
        store = tmp_path / "bank.sqlite"
        bank = start("bank", store)
        reserve(bank.caller)
        first = pay(bank.caller)
        before = bank.caller.get("/summary")
        bank.kill()

        again = start("bank", store)
        assert again.caller.get("/summary") == before
        repeated = pay(again.caller)
        assert (repeated.content, repeated.headers["Idempotent-Replayed"]) == (first.content, "true")
        assert again.caller.get("/summary")["net_paid_micros"] == AMOUNT
        assert again.stop() == 0

    def test_a_payment_applied_but_unanswered_survives_kill_9(self, tmp_path: Path, start: StartService) -> None:
        store = tmp_path / "bank.sqlite"
        bank = start("bank", store)
        reserve(bank.caller)
        bank.caller.arm(route="payments", mode="timeout_after_apply")
        with ThreadPoolExecutor(1) as pool:
            unanswered = pool.submit(pay, bank.caller)
            wait_until(lambda: bool(bank.caller.holding()))
            bank.process.kill()
            with pytest.raises(httpx2.TransportError):
                unanswered.result()
        bank.kill()

        again = start("bank", store)
        assert pay(again.caller).headers["Idempotent-Replayed"] == "true"
        assert again.caller.get("/summary")["payments"]["count"] == 1
        assert again.stop() == 0

    def test_sigterm_stops_it_while_a_call_is_held(self, tmp_path: Path, start: StartService) -> None:
        mail = start("mail", tmp_path / "mail.sqlite")
        mail.caller.arm(route="messages", mode="hold")
        message = {"claim_id": "C1", "to": "a@example.com", "subject": "s", "body": "b"}
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(mail.caller.post, "/messages", message, key="m1")
            wait_until(lambda: bool(mail.caller.holding()))
            mail.process.terminate()
            with pytest.raises(httpx2.TransportError):
                held.result()
        assert mail.stop() == 0

    def test_the_port_file_names_the_port_it_listens_on(self, tmp_path: Path, start: StartService) -> None:
        mail = start("mail", tmp_path / "mail.sqlite")

        port = int(mail.port_file.read_text(encoding="ascii"))
        assert mail.ready_line == f"mail ready at http://127.0.0.1:{port}"
        assert mail.caller.get("/healthz") == {"service": "mail", "status": "ok"}
        assert mail.stop() == 0

    def test_a_port_in_use_is_a_clear_error(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = _run_to_end("bank", tmp_path / "bank.sqlite", taken.getsockname()[1])

        assert done.returncode == 2
        assert "in use" in done.stderr
        assert "--port" in done.stderr

    def test_the_store_of_another_service_is_refused(self, tmp_path: Path) -> None:
        CallStore(tmp_path / "store", "bank", "").close()

        done = _run_to_end("mail", tmp_path / "store", 0)

        assert (done.returncode, "store of another service" in done.stderr) == (2, True)

    def test_a_file_that_is_no_store_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("not a database, but long enough to look like a file of some kind" * 20, encoding="utf-8")

        done = _run_to_end("bank", tmp_path / "notes.txt", 0)

        assert (done.returncode, "cannot be used as a store" in done.stderr) == (2, True)


class TestIndependence:
    """The services' counts are evidence because nothing of the platform counts for them."""

    @pytest.mark.parametrize("module", sorted(SERVICES.glob("*.py")), ids=lambda path: path.name)
    def test_a_service_module_imports_only_the_standard_library_and_its_neighbours(self, module: Path) -> None:
        imported = {
            name
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
            for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else _source(node))
        }
        foreign = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
        assert {name for name in foreign if not name.startswith("examples.delay_claim.services.")} == set()


def _source(node: ast.AST) -> list[str]:
    return [node.module or "."] if isinstance(node, ast.ImportFrom) else []


def _run_to_end(name: str, store: Path, port: int) -> subprocess.CompletedProcess[str]:
    words = ["--port", str(port), "--store", str(store)]
    command = [sys.executable, "-m", f"examples.delay_claim.services.{name}", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
