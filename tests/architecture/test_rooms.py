"""What import-linter cannot say: allow lists, names that others could take, and who reads the environment."""

import ast
import importlib
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, ROOMS, ROOT, imported, modules_of, shown, tree_of

DOMAIN_LIBRARIES = {
    "pydantic": None,
    "domain": None,
    "typing_extensions": None,
    "cel_expr_python": "domain/cel.py",
    "rfc8785": "domain/canonical.py",
    "jsonschema_rs": "domain/schemas.py",
    "semantic_version": "domain/versions.py",
    "jinja2": "domain/prompt_text.py",
}
"""What `domain` may import beside the standard library, and the one module each pure library stays in (docs/adr/0001)."""

IMPURE = {
    "os",
    "time",
    "asyncio",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "pathlib",
    "io",
    "logging",
    "shutil",
    "tempfile",
}

ENVIRONMENT_READERS = {
    "wiring/settings.py": "the one place where settings are read",
    "wiring/secrets.py": "lends the process's variables to what reads those that references of secrets name",
    "wiring/embedded/commands.py": "hands its own environment on to the programs it starts",
    "wiring/embedded/cache.py": "finds the user's cache folder, which is no setting of ours",
    "wiring/dev/background.py": "hands its own environment on to the supervisor it detaches",
    "wiring/dev/child.py": "hands its own environment on to the processes it starts",
}
"""Modules of the product that may touch `os.environ`, with the reason."""

TEMPORAL_PARTS = {
    "activities": {"activity", "common", "exceptions"},
    "sagas": {"workflow", "common", "exceptions"},
    "workflows": {"workflow", "common", "exceptions"},
}
"""Parts of the Temporal SDK that each room may import."""

TEMPORAL_EXTRA = {"activities/interceptor.py": {"worker"}}
"""The effect journal wraps every activity: interceptors are a worker's classes."""


@pytest.mark.parametrize("module", modules_of("domain"), ids=shown)
class TestDomain:
    def test_imports_only_what_is_pure(self, module: Path) -> None:
        roots = {name.split(".")[0] for name in imported(tree_of(module))}
        assert roots - (sys.stdlib_module_names - IMPURE) - DOMAIN_LIBRARIES.keys() == set()

    def test_keeps_each_library_in_its_one_module(self, module: Path) -> None:
        roots = {name.split(".")[0] for name in imported(tree_of(module))}
        homes = {library: home for library, home in DOMAIN_LIBRARIES.items() if home is not None and library in roots}
        assert {library: home for library, home in homes.items() if home != shown(module)} == {}


@pytest.mark.parametrize("module", modules_of(*TEMPORAL_PARTS), ids=shown)
def test_durable_rooms_import_only_their_part_of_temporal(module: Path) -> None:
    allowed = TEMPORAL_PARTS[module.relative_to(ROOT).parts[0]]
    parts = {name.split(".")[1] for name in imported(tree_of(module)) if name.startswith("temporalio.")}
    assert parts - allowed - TEMPORAL_EXTRA.get(shown(module), set()) == set()


@pytest.mark.parametrize("room", [room for room in ROOMS if (ROOT / room / "__init__.py").exists()])
class TestRoomName:
    def test_is_ours_when_imported(self, room: str) -> None:
        file = importlib.import_module(room).__file__
        assert file is not None
        assert Path(file).is_relative_to(ROOT / room)

    def test_belongs_to_no_other_distribution(self, room: str) -> None:
        assert set(packages_distributions().get(room, [])) <= {"standfast"}


def test_no_folder_at_the_root_shadows_a_library() -> None:
    libraries = {"docker", "temporalio", "openai", "anthropic", "mcp", "types", "platform"} | sys.stdlib_module_names
    assert {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} & libraries == set()


@pytest.mark.parametrize("module", [path for path in modules_of(*ROOMS) if shown(path) not in ENVIRONMENT_READERS], ids=shown)
def test_only_settings_read_the_environment(module: Path) -> None:
    used = {ast.unparse(node) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Attribute)} | imported(tree_of(module))
    assert used & {"os.environ", "os.getenv", "os.environb"} == set(), "settings come in through the constructor (wiring/settings.py)"


def test_each_exemption_still_reads_the_environment() -> None:
    assert [name for name in ENVIRONMENT_READERS if not (ROOT / name).exists()] == []


class TestWorkerScript:
    def test_is_a_shim(self) -> None:
        assert len((ROOT / "worker.py").read_text(encoding="utf-8").splitlines()) <= 20

    def test_imports_wiring_and_the_standard_library_only(self) -> None:
        roots = {name.split(".")[0] for name in imported(tree_of(ROOT / "worker.py"))}
        assert roots - sys.stdlib_module_names == {"wiring"}


def test_old_http_clients_are_nowhere() -> None:
    users = {shown(path) for path in MODULES if {name.split(".")[0] for name in imported(tree_of(path))} & {"httpx", "requests", "aiohttp"}}
    assert users == set(), "use httpx2"
