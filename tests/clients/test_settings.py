"""Where URL and key come from."""

import json
from pathlib import Path

import pytest

from standfast_client import NotConfiguredError
from standfast_client.settings import find_connection

KEYS = {"admin": "sf_admin", "approver": "sf_approver"}


@pytest.fixture(name="below")
def _below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand two folders below a running stack."""
    (tmp_path / ".standfast").mkdir()
    (tmp_path / ".standfast" / "dev.json").write_text(
        json.dumps({"gateway_url": "http://127.0.0.1:1234", "api_keys": KEYS}), encoding="utf-8"
    )
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return tmp_path


class TestFindConnection:
    def test_takes_arguments_first(self) -> None:
        found = find_connection("http://h:1/v1/", "k", environment={"STANDFAST_URL": "http://other", "STANDFAST_API_KEY": "no"})
        assert (found.url, found.key) == ("http://h:1", "k")

    def test_takes_the_environment_next(self, below: Path) -> None:
        assert below.exists()
        found = find_connection(environment={"STANDFAST_URL": "http://h:1", "STANDFAST_API_KEY": "k"})
        assert (found.url, found.key) == ("http://h:1", "k")

    def test_finds_a_running_stack_in_a_folder_above(self, below: Path) -> None:
        found = find_connection(environment={})
        assert (found.url, found.key) == ("http://127.0.0.1:1234", "sf_admin")
        assert found.source == str(below / ".standfast" / "dev.json")

    def test_takes_the_key_of_a_role(self, below: Path) -> None:
        assert below.exists()
        assert find_connection(role="approver", environment={"STANDFAST_API_KEY": "k"}).key == "sf_approver"
        assert find_connection(environment={"STANDFAST_ROLE": "approver"}).key == "sf_approver"
        assert find_connection(default_role="approver", environment={}).key == "sf_approver"

    def test_names_the_roles_there_are(self, below: Path) -> None:
        assert below.exists()
        with pytest.raises(NotConfiguredError, match="admin, approver"):
            find_connection(role="king", environment={})

    def test_never_sends_a_local_key_to_another_gateway(self, below: Path) -> None:
        assert below.exists()
        with pytest.raises(NotConfiguredError, match="STANDFAST_API_KEY"):
            find_connection("http://h:1", environment={})

    def test_says_what_to_set_when_nothing_is_known(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(NotConfiguredError, match="standfast dev"):
            find_connection(state_dir=tmp_path, environment={})

    def test_refuses_a_broken_file_and_a_broken_url(self, tmp_path: Path) -> None:
        (tmp_path / "dev.json").write_text("{", encoding="utf-8")
        with pytest.raises(NotConfiguredError, match=r"dev\.json"):
            find_connection(state_dir=tmp_path, environment={})
        with pytest.raises(NotConfiguredError, match="http://"):
            find_connection("localhost:8080", "k", environment={})

    def test_does_not_show_the_key(self) -> None:
        assert "secret" not in repr(find_connection("http://h", "secret", environment={}))
