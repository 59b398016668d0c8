"""`memory` against the real gateway."""

import json

from cli.exit_codes import ExitCode
from tests.api.test_memory import FIRST, SECOND, remember
from tests.cli.command_line import CommandLine


class TestMemory:
    def test_is_shown_released_and_forgotten(self, standfast: CommandLine) -> None:
        remember(standfast.live.house)
        assert "suspicious" in standfast("memory").stdout
        [kept] = json.loads(standfast("memory", "list", "--quarantined", "--json").stdout)
        assert kept["record"] == SECOND
        assert "suspicious" not in standfast("memory", "release", SECOND).stdout
        assert "operator" in standfast("memory", "quarantine", SECOND).stdout
        assert standfast("memory", "forget", FIRST).exit_code == ExitCode.OK
        assert standfast("memory", "forget", FIRST).exit_code == ExitCode.NOT_FOUND
