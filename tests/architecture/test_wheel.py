"""The wheel carries every room, and the rooms import from it where the repository is not: so nobody imports tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.sources import ROOMS, ROOT, modules_of, shown

IMPORT_ALL = """
import importlib, pathlib, sys
repository, folder = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
sys.path[:] = [name for name in sys.path if pathlib.Path(name).resolve() not in (repository, repository / "clients/python/src")]
sys.path.insert(0, str(folder))
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
for name in sys.argv[3:]:
    module = importlib.import_module(name)
    assert pathlib.Path(module.__file__).is_relative_to(folder), f"{name} came from {module.__file__}"
"""

NEEDS_CLIENT = {"cli"}
"""Rooms that import the client, a distribution of its own; its source folder stands in for it."""


@pytest.fixture(scope="module")
def wheel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without network and unpack it into an empty folder."""
    built, unpacked = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("unpacked")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = built.glob("standfast-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


class TestWheel:
    def test_carries_every_module_of_every_room(self, wheel_folder: Path) -> None:
        assert [shown(path) for path in modules_of(*ROOMS) if not (wheel_folder / path.relative_to(ROOT)).exists()] == []
        assert (wheel_folder / "worker.py").exists()

    def test_carries_nothing_else(self, wheel_folder: Path) -> None:
        assert {path.name for path in wheel_folder.iterdir() if not path.name.endswith(".dist-info")} <= {*ROOMS, "worker.py", "examples"}

    def test_imports_where_the_repository_is_not(self, wheel_folder: Path, tmp_path: Path) -> None:
        modules = [path for path in modules_of(*ROOMS) if path.name != "__main__.py"]
        names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in modules]
        names = [name for name in names if name.split(".")[0] not in NEEDS_CLIENT]
        command = [sys.executable, "-c", IMPORT_ALL, str(ROOT), str(wheel_folder), *names]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
