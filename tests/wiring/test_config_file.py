"""Settings come from the environment first, then from `config.toml` of the state folder (docs/settings.md)."""

from pathlib import Path

import pytest

from wiring.settings import GatewaySettings


class TestConfigFile:
    def test_is_read_from_the_state_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "config.toml").write_text("STANDFAST_GATEWAY_PORT = 8123\n", encoding="utf-8")
        monkeypatch.setenv("STANDFAST_STATE_DIR", str(tmp_path))
        monkeypatch.delenv("STANDFAST_GATEWAY_PORT", raising=False)
        assert GatewaySettings().port == 8123

    def test_yields_to_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "config.toml").write_text("STANDFAST_GATEWAY_PORT = 8123\n", encoding="utf-8")
        monkeypatch.setenv("STANDFAST_STATE_DIR", str(tmp_path))
        monkeypatch.setenv("STANDFAST_GATEWAY_PORT", "8124")
        assert GatewaySettings().port == 8124
