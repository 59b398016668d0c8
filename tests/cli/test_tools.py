"""`tools` against the real gateway: register, import, hold back, grant, and read."""

import json
from pathlib import Path

from cli.exit_codes import ExitCode
from tests.cli.command_line import CommandLine

WEATHER = """
name: weather.now
description: The weather of a place
method: GET
url: https://weather.example/now?place={place}
headers: {Authorization: "Bearer secret:WEATHER_KEY"}
input: {type: object, required: [place], properties: {place: {type: string}}}
effect_class: read
"""
PETS: dict[str, object] = {
    "openapi": "3.1.0",
    "info": {"title": "Pets"},
    "paths": {"/pets": {"get": {"operationId": "list"}, "post": {"requestBody": {"required": True, "content": {"text/csv": {}}}}}},
    "security": [{"key": []}],
    "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}


def registered(standfast: CommandLine, folder: Path) -> None:
    """Register the weather."""
    (folder / "weather.yaml").write_text(WEATHER, encoding="utf-8")
    done = standfast("tools", "register", str(folder / "weather.yaml"), "--role", "developer")
    assert done.exit_code == ExitCode.OK, done.output


class TestTools:
    def test_are_registered_listed_and_shown(self, standfast: CommandLine, tmp_path: Path) -> None:
        registered(standfast, tmp_path)
        assert "weather.now" in standfast("tools").stdout
        shown = standfast("tools", "show", "weather.now").stdout
        assert ("weather.example" in shown, "WEATHER_KEY" in shown, "read, idempotent" in shown) == (True, True, True)

    def test_that_are_wrong_are_refused_with_file_and_place(self, standfast: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "bad.yaml").write_text(WEATHER.replace("GET", "FETCH"), encoding="utf-8")
        done = standfast("tools", "register", str(tmp_path / "bad.yaml"), "--role", "developer")
        assert (done.exit_code != ExitCode.OK, "bad.yaml" in done.output, "method" in done.output) == (True, True, True), done.output

    def test_are_imported_on_trial_first(self, standfast: CommandLine) -> None:
        text = json.dumps(PETS)
        tried = standfast(
            "tools", "import-openapi", "-", "--base-url", "https://pets.example", "--dry-run", "--role", "developer", given=text
        )
        assert tried.exit_code == ExitCode.OK, tried.output
        assert standfast("tools", "show", "pets.list").exit_code == ExitCode.NOT_FOUND
        done = standfast("tools", "import-openapi", "-", "--base-url", "https://pets.example", "--role", "developer", given=text)
        assert "left out: POST /pets: it takes a body that is not JSON" in done.stdout
        assert "secrets to set: PETS_KEY" in done.stdout
        assert standfast("tools", "show", "pets.list").exit_code == ExitCode.OK

    def test_are_held_back_released_and_retired_with_a_reason(self, standfast: CommandLine, tmp_path: Path) -> None:
        registered(standfast, tmp_path)
        held = standfast("tools", "quarantine", "weather.now", "1.0.0", "-m", "it lies", "--role", "operator")
        assert ("quarantined" in held.stdout, "it lies" in held.stdout) == (True, True)
        assert "active" in standfast("tools", "release", "weather.now", "1.0.0", "-m", "mended", "--role", "operator").stdout
        standfast("tools", "retire", "weather.now", "1.0.0", "-m", "old", "--role", "developer")
        assert "weather.now" not in standfast("tools").stdout
        assert "weather.now" in standfast("tools", "--all").stdout

    def test_are_granted_and_the_grant_is_taken_back(self, standfast: CommandLine) -> None:
        made = json.loads(
            standfast("tools", "grant", "bank.*", "--agent", "claims/*", "--to", "finance", "--role", "admin", "--json").stdout
        )
        assert (made["tools"], made["agents"], made["roles"]) == (["bank.*"], ["claims/*"], ["finance"])
        closed = json.loads(standfast("tools", "grant", "mail.send", "--nobody", "--role", "admin", "--json").stdout)
        assert (closed["agents"], closed["roles"]) == ([], [])
        assert "bank.*" in standfast("tools", "grants").stdout
        assert json.loads(standfast("tools", "revoke", made["grant"], "--role", "admin", "--json").stdout)["revoked_at"]

    def test_tell_who_called_them_and_what_was_unusual(self, standfast: CommandLine) -> None:
        assert "no calls" in standfast("tools", "calls", "--tool", "bank.pay").output
        assert "nothing unusual" in standfast("tools", "anomalies").output
        assert standfast("tools", "calls", "--verdict", "sad").exit_code != ExitCode.OK
