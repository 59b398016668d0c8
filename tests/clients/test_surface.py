"""Both clients have the same surface, and the distribution stands alone."""

import inspect
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from standfast_client import AsyncRunHandle, AsyncStandfast, RunHandle, Standfast
from standfast_client.asynchronous import agents as async_agents
from standfast_client.asynchronous import channels as async_channels
from standfast_client.asynchronous import dead_letters as async_dead_letters
from standfast_client.asynchronous import hooks as async_hooks
from standfast_client.asynchronous import ledgers as async_ledgers
from standfast_client.asynchronous import mcp as async_mcp
from standfast_client.asynchronous import memory as async_memory
from standfast_client.asynchronous import model_table as async_model_table
from standfast_client.asynchronous import money as async_money
from standfast_client.asynchronous import people as async_people
from standfast_client.asynchronous import policies as async_policies
from standfast_client.asynchronous import registry as async_registry
from standfast_client.asynchronous import reviewing as async_reviewing
from standfast_client.asynchronous import runs as async_runs
from standfast_client.asynchronous import subjects as async_subjects
from standfast_client.asynchronous import tools as async_tools
from standfast_client.asynchronous import webhooks as async_webhooks
from standfast_client.blocking import (
    agents,
    channels,
    dead_letters,
    hooks,
    ledgers,
    mcp,
    memory,
    model_table,
    money,
    people,
    policies,
    registry,
    reviewing,
    runs,
    subjects,
    tools,
    webhooks,
)

PROJECT = Path(__file__).parents[2] / "clients" / "python"

PAIRS: list[tuple[type, type]] = [
    (Standfast, AsyncStandfast),
    (RunHandle, AsyncRunHandle),
    (runs.Runs, async_runs.AsyncRuns),
    (people.Approvals, async_people.AsyncApprovals),
    (people.Tasks, async_people.AsyncTasks),
    (dead_letters.DeadLetters, async_dead_letters.AsyncDeadLetters),
    (reviewing.Calendars, async_reviewing.AsyncCalendars),
    (reviewing.Substitutes, async_reviewing.AsyncSubstitutes),
    (registry.Definitions, async_registry.AsyncDefinitions),
    (agents.Agents, async_agents.AsyncAgents),
    (agents.Prompts, async_agents.AsyncPrompts),
    (tools.Tools, async_tools.AsyncTools),
    (ledgers.Ledger, async_ledgers.AsyncLedger),
    (channels.ChannelBook, async_channels.AsyncChannelBook),
    (model_table.Models, async_model_table.AsyncModels),
    (money.Budgets, async_money.AsyncBudgets),
    (money.CostBook, async_money.AsyncCostBook),
    (subjects.Erasures, async_subjects.AsyncErasures),
    (subjects.Retentions, async_subjects.AsyncRetentions),
    (webhooks.Webhooks, async_webhooks.AsyncWebhooks),
    (hooks.Hooks, async_hooks.AsyncHooks),
    (mcp.McpServers, async_mcp.AsyncMcpServers),
    (mcp.Secrets, async_mcp.AsyncSecrets),
    (memory.Memories, async_memory.AsyncMemories),
    (policies.Policies, async_policies.AsyncPolicies),
]


def surface(kind: type) -> dict[str, list[str]]:
    """Return the public methods with their parameters and defaults."""
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: [f"{p.name}={p.default}" for p in inspect.signature(method).parameters.values()]
        for name, method in methods
        if not name.startswith("_") or name == "__init__"
    }


class TestSurface:
    @pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS, ids=lambda kind: kind.__name__)
    def test_is_the_same_in_both_clients(self, blocking: type, asynchronous: type) -> None:
        assert surface(blocking) == surface(asynchronous)

    @pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS, ids=lambda kind: kind.__name__)
    def test_awaits_wherever_the_other_waits(self, blocking: type, asynchronous: type) -> None:
        for name in surface(blocking):
            code = inspect.getsource(getattr(blocking, name))
            awaited = inspect.iscoroutinefunction(getattr(asynchronous, name)) or inspect.isasyncgenfunction(getattr(asynchronous, name))
            assert awaited == ("_driver.run(" in code or "self.read()" in code or "_driver.close()" in code), name


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel offline and unpack it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


class TestReadme:
    def test_lists_every_group_and_method(self) -> None:
        page = (PROJECT / "README.md").read_text(encoding="utf-8")
        listed = {
            name: set(methods.split())
            for name, methods in re.findall(r"^\| (`client\.\w+`|a run's handle) \| `([^`]+)` \|", page, re.MULTILINE)
        }
        with Standfast("http://127.0.0.1:9", "k") as client:
            members: dict[str, object] = vars(client)
            groups = {name: set(surface(type(group))) - {"__init__"} for name, group in members.items() if not name.startswith("_")}
        given = {f"`client.{name}`": methods for name, methods in groups.items() if methods}
        assert listed == {**given, "a run's handle": set(surface(RunHandle)) - {"__init__"}}


class TestDistribution:
    def test_needs_httpx2_and_pydantic_only(self, site: Path) -> None:
        (metadata,) = site.glob("*.dist-info/METADATA")
        needed = [line for line in metadata.read_text(encoding="utf-8").splitlines() if line.startswith("Requires-Dist:")]
        assert sorted(line.split()[1].split("<")[0].split(">")[0] for line in needed) == ["httpx2", "pydantic"]
        assert (site / "standfast_client" / "py.typed").is_file()

    def test_imports_alone(self, site: Path, tmp_path: Path) -> None:
        rooms = ["domain", "activities", "sagas", "workflows", "adapters", "wiring", "api", "cli"]
        code = (
            f"import sys; sys.path.insert(0, {str(site)!r}); import standfast_client as c;"
            f"assert c.__file__.startswith({str(site)!r}), c.__file__;"
            f"print([room for room in {rooms!r} if room in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert (done.stdout.strip(), done.stderr) == ("[]", "")

    def test_verifier_needs_the_standard_library_only(self, site: Path, tmp_path: Path) -> None:
        source = (site / "standfast_client" / "verify.py").read_text(encoding="utf-8")
        (tmp_path / "verify.py").write_text(source, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-I", "-S", "verify.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
