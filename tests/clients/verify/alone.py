"""Runs the verifier from its own wheel, with nothing of ours and nothing else on the path but `cryptography`."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cryptography
import pytest

from tests.architecture.sources import ROOT

PROJECT = ROOT / "clients" / "verify"
ALONE = """
import importlib.util, runpy, sys
sys.path[1:1] = sys.argv[1:3]
ours = ["domain", "activities", "sagas", "workflows", "adapters", "wiring", "api", "cli", "standfast_client"]
found = [importlib.util.find_spec(name) for name in ours]
assert [spec for spec in found if spec and spec.origin] == []
sys.argv = ["standfast-verify", *sys.argv[3:]]
runpy.run_module("standfast_verify", run_name="__main__")
"""
"""Runs the verifier with its own folder and the folder of `cryptography` on the path; editable installs need `site`, which is off."""


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the verifier, unpacked into an empty folder."""
    folder = tmp_path_factory.mktemp("verifier")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "wheel")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = (folder / "wheel").glob("standfast_verify-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run_alone(installed: Path, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the installed verifier with nothing of ours on the path."""
    libraries = Path(cryptography.__file__).parents[1]
    argv = [sys.executable, "-I", "-S", "-c", ALONE, str(installed), str(libraries), *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STANDFAST"))}
    return subprocess.run(argv, cwd=folder, env=inherited, capture_output=True, text=True, timeout=60, check=False)
