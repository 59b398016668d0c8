"""The real Temporal development server: its settings take effect, its data outlives it, old and silent ones are refused."""

import signal
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from tests.servers.temporal import dev_server_existing_path, temporal_dev_server
from wiring.embedded.commands import CommandResult, run_command
from wiring.embedded.ports import free_ports
from wiring.embedded.temporal_arguments import SEARCH_ATTRIBUTES, TemporalPorts, temporal_server_arguments
from wiring.embedded.temporal_ready import TemporalNotReadyError, TemporalTooOldError, require_version, wait_for_temporal

DAY_SECONDS = 24 * 60 * 60
HEALTH = ("operator", "cluster", "health")


async def said(*arguments: str) -> CommandResult:
    """Run the server's program until it ends, and return how."""
    argv = (dev_server_existing_path(), *arguments)
    return await run_command(argv, progress=print, say=lambda seconds, lines: f"{seconds} {lines}", limit_seconds=120)


class TestTemporalServer:
    async def test_keeps_namespace_and_runs_when_killed_and_started_again(self, tmp_path: Path) -> None:
        database = tmp_path / "data" / "temporal-1.32.db"
        tenant = SearchAttributePair(SearchAttributeKey.for_keyword("TenantId"), "acme")
        async with temporal_dev_server(tmp_path, database=database) as server:
            client = await Client.connect(server.address)
            before = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
            await client.start_workflow("waits", id="run_1", task_queue="nobody", search_attributes=TypedSearchAttributes([tenant]))
            server.process.send_signal(signal.SIGKILL)
            await server.process.wait()

        async with temporal_dev_server(tmp_path, database=database) as server:
            client = await Client.connect(server.address)
            after = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
            run = await client.get_workflow_handle("run_1").describe()

        assert after.namespace_info.id == before.namespace_info.id
        assert after.config.workflow_execution_retention_ttl.seconds == 30 * DAY_SECONDS
        assert run.status is WorkflowExecutionStatus.RUNNING
        assert run.typed_search_attributes[SearchAttributeKey.for_keyword("TenantId")] == "acme"

    async def test_knows_our_search_attributes(self, tmp_path: Path) -> None:
        async with temporal_dev_server(tmp_path) as server:
            client = await Client.connect(server.address)
            known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
            assert (await said(*HEALTH, "--address", server.address)).tail == "SERVING"

        types = {name: IndexedValueType.Name(kind) for name, kind in known.custom_attributes.items()}
        wanted = {"Keyword": "INDEXED_VALUE_TYPE_KEYWORD", "KeywordList": "INDEXED_VALUE_TYPE_KEYWORD_LIST"}
        assert types == {name: wanted[kind] for name, kind in SEARCH_ATTRIBUTES.items()}

    @pytest.mark.parametrize("more", [(), ("--listen-everywhere",)])
    async def test_refuses_an_address_that_is_not_loopback(self, more: tuple[str, ...]) -> None:
        result = await said("server", "start-dev", "--ip", "0.0.0.0", *more)  # noqa: S104 - the refusal is the test

        assert result.code == 1
        assert "listens on loopback only" in result.tail
        assert "--listen-everywhere" in result.tail

    async def test_says_that_no_server_is_there_to_be_healthy(self) -> None:
        (port,) = free_ports(1)
        result = await said(*HEALTH, "--address", f"127.0.0.1:{port}")

        assert result.code == 1
        assert f"127.0.0.1:{port} does not answer" in result.tail

    async def test_names_the_flag_of_a_port_in_use(self, tmp_path: Path) -> None:
        async with temporal_dev_server(tmp_path) as server:
            taken = int(server.address.rpartition(":")[2])
            ui, metrics = free_ports(2)
            arguments = temporal_server_arguments(ports=TemporalPorts(taken, ui, metrics))
            result = await said(*arguments)

        assert result.code == 1
        assert f"--port {taken} cannot be used" in result.tail


class TestTemporalServerArguments:
    def test_are_those_of_the_recommended_line(self, tmp_path: Path) -> None:
        line = " ".join(temporal_server_arguments(database=tmp_path / "t.db", codec_endpoint="http://localhost:8080/codec"))

        assert "--port 7233 --ui-port 8233 --metrics-port 9233" in line
        assert f"--db-filename {tmp_path}/t.db --sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL" in line
        assert "--search-attribute ReviewerRoles=KeywordList" in line
        assert "--dynamic-config-value history.transferProcessorMaxPollRPS=2000" in line
        assert "--dynamic-config-value history.timerProcessorMaxPollRPS=2000" in line
        assert '--dynamic-config-value history.timerProcessorMaxTimeShift="10ms"' in line
        assert "--dynamic-config-value matching.enableFairness=true" in line
        assert "--dynamic-config-value frontend.WorkflowTimeSkippingEnabled=true" in line
        assert line.endswith("--ui-codec-endpoint http://localhost:8080/codec")


class TestWaitForTemporal:
    async def test_says_which_address_did_not_answer(self) -> None:
        (port,) = free_ports(1)

        with pytest.raises(TemporalNotReadyError) as late:
            await wait_for_temporal(f"127.0.0.1:{port}", limit_seconds=0.2)

        told = f"Temporal at 127.0.0.1:{port} did not answer for namespace default within 0 s: Connection refused. Check that it runs"
        assert str(late.value).startswith(told)
        assert "TEMPORAL_ADDRESS" in str(late.value)

    async def test_gives_up_at_once_when_the_process_has_ended(self) -> None:
        (port,) = free_ports(1)

        with pytest.raises(TemporalNotReadyError, match="ended while it started"):
            await wait_for_temporal(f"127.0.0.1:{port}", alive=lambda: False)

    async def test_takes_no_other_server_at_the_address_for_the_one_that_has_ended(self, tmp_path: Path) -> None:
        log = tmp_path / "ours.log"
        log.write_text("bind: address already in use\n", encoding="utf-8")
        async with temporal_dev_server(tmp_path) as another:
            with pytest.raises(TemporalNotReadyError, match=r"ended while it started; the end of .*ours\.log:\n    bind: address already"):
                await wait_for_temporal(another.address, alive=lambda: False, log=log)

    def test_refuses_an_older_server_with_the_reason(self) -> None:
        with pytest.raises(TemporalTooOldError, match=r"at host:7233 is 1\.31\.9; Standfast needs 1\.32\.0 or newer"):
            require_version("host:7233", "1.31.9")

    def test_accepts_a_newer_server(self) -> None:
        assert require_version("host:7233", "1.40.0-rc.1") == "1.40.0-rc.1"
