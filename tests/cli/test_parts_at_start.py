"""A part that cannot start names the setting to change, ends with the code for it, and shows no traceback."""

import socket
from pathlib import Path

import pytest

from adapters.postgres.migrate import migrate
from api.main import listening_socket
from cli.exit_codes import ExitCode
from domain.errors import InvalidInput
from tests.cli.command_line import in_process
from tests.servers.postgres import embedded_postgres

NOBODY = "postgresql://nobody@127.0.0.1:1/none"


class TestPostgresqlDown:
    @pytest.mark.parametrize(("part", "setting"), [("gateway", "DATABASE_URL"), ("migrate", "STANDFAST_DATABASE_OWNER_URL")])
    def test_is_said_with_the_setting(self, part: str, setting: str, tmp_path: Path) -> None:
        done = in_process(part, folder=tmp_path, TEMPORAL_ADDRESS="127.0.0.1:1", **{setting: NOBODY})
        assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.UNAVAILABLE, False)
        assert "PostgreSQL does not answer: " in done.stderr + done.stdout
        assert f"that {setting} names" in done.stderr + done.stdout


class TestGateway:
    @pytest.mark.timeout(120)
    def test_says_that_no_temporal_server_answers(self, tmp_path: Path) -> None:
        with embedded_postgres() as postgres:
            url = migrate(postgres.owner_url, app_password="app-password").app_url
            assert url is not None
            done = in_process("gateway", folder=tmp_path, TEMPORAL_ADDRESS="127.0.0.1:1", DATABASE_URL=url)
        assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.UNAVAILABLE, False)
        assert "TEMPORAL_ADDRESS" in done.stderr + done.stdout

    def test_names_the_setting_of_a_port_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(InvalidInput, match=rf"127\.0\.0\.1, port {port}: Address already in use\. Set STANDFAST_GATEWAY_PORT"):
                listening_socket("127.0.0.1", port)
        listening_socket("127.0.0.1", port).close()
