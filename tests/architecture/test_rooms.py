"""What import-linter cannot say: allow lists, names that others could take, and who reads the environment."""

import ast
import importlib
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, ROOMS, ROOT, imported, modules_of, nodes_of, shown

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
    "wiring/secrets.py": "lends the process's variables to what reads those that references of secrets name",
    "wiring/embedded/commands.py": "hands its own environment on to the programs it starts",
    "wiring/embedded/cache.py": "finds the user's cache folder, which is no setting of ours",
    "wiring/dev/background.py": "hands its own environment on to the supervisor it detaches",
    "wiring/dev/child.py": "hands its own environment on to the processes it starts",
}
"""Modules of the product that may touch `os.environ`, with the reason; the groups of wiring/settings.py leave it to pydantic."""

TEMPORAL_PARTS = {
    "activities": {"activity", "common", "exceptions"},
    "sagas": {"workflow", "common", "exceptions"},
    "workflows": {"workflow", "common", "exceptions"},
}
"""Parts of the Temporal SDK that each room may import."""

TEMPORAL_EXTRA = {"activities/interceptor.py": {"worker"}}
"""The effect journal wraps every activity: interceptors are a worker's classes."""


def libraries_of(module: Path) -> set[str]:
    """Return the top-level names of what a module imports."""
    return {name.split(".")[0] for name in imported(module)}


def parts_of_temporal(module: Path) -> set[str]:
    """Return the parts of the Temporal SDK that a module imports."""
    return {name.split(".")[1] for name in imported(module) if name.startswith("temporalio.")}


class TestDomain:
    def test_imports_only_what_is_pure(self) -> None:
        pure = (sys.stdlib_module_names - IMPURE) | DOMAIN_LIBRARIES.keys()
        impure = {shown(module): libraries_of(module) - pure for module in modules_of("domain")}
        assert len(impure) > 50
        assert {module: libraries for module, libraries in impure.items() if libraries} == {}

    def test_keeps_each_library_in_its_one_module(self) -> None:
        homes = {library: home for library, home in DOMAIN_LIBRARIES.items() if home is not None}
        used = [(library, shown(module)) for module in modules_of("domain") for library in homes.keys() & libraries_of(module)]
        assert [(library, module) for library, module in used if homes[library] != module] == []


def test_durable_rooms_import_only_their_part_of_temporal() -> None:
    others = {
        shown(module): parts_of_temporal(module) - TEMPORAL_PARTS[room] - TEMPORAL_EXTRA.get(shown(module), set())
        for room in TEMPORAL_PARTS
        for module in modules_of(room)
    }
    assert len(others) > 50
    assert {module: parts for module, parts in others.items() if parts} == {}


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


def environment_read_by(module: Path) -> set[str]:
    """Return the names by which a module reads the environment."""
    attributes = [node for node in nodes_of(module) if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")]
    return ({ast.unparse(node) for node in attributes} | imported(module)) & {"os.environ", "os.getenv", "os.environb"}


def test_only_settings_read_the_environment() -> None:
    readers = {shown(module): names for module in modules_of(*ROOMS) if (names := environment_read_by(module))}
    others = {module: names for module, names in readers.items() if module not in ENVIRONMENT_READERS}
    assert others == {}, "settings come in through the constructor (wiring/settings.py)"


def test_each_exemption_still_reads_the_environment() -> None:
    assert [name for name in ENVIRONMENT_READERS if not environment_read_by(ROOT / name)] == []


class TestWorkerScript:
    def test_is_a_shim(self) -> None:
        assert len((ROOT / "worker.py").read_text(encoding="utf-8").splitlines()) <= 20

    def test_imports_wiring_and_the_standard_library_only(self) -> None:
        assert libraries_of(ROOT / "worker.py") - sys.stdlib_module_names == {"wiring"}


def test_old_http_clients_are_nowhere() -> None:
    users = {shown(path) for path in MODULES if libraries_of(path) & {"httpx", "requests", "aiohttp"}}
    assert users == set(), "use httpx2"
