"""The guard and the ports of built-in tools, as settings make them."""

import pytest
from pydantic import ValidationError

from adapters.outbound.network import Guard
from adapters.tools.platform_ports import PlatformPorts
from domain.egress import EgressRules
from domain.errors import EgressRefused
from tests.outbound import finding
from wiring.outbound import build_outbound, environment_proxy
from wiring.settings_outbound import OutboundSettings
from wiring.tools import build_toolbox


class TestOutbound:
    @pytest.mark.parametrize(("environment", "open_inside"), [("development", True), ("test", True), ("production", False)])
    async def test_is_open_inside_outside_production_only(self, environment: str, *, open_inside: bool) -> None:
        clients = build_outbound(environment, OutboundSettings())  # pyright: ignore[reportArgumentType]  # one of the three
        if open_inside:
            assert await clients.addresses("127.0.0.1", 80, EgressRules()) == ["127.0.0.1"]
        else:
            with pytest.raises(EgressRefused):
                await clients.addresses("127.0.0.1", 80, EgressRules())

    async def test_reaches_declared_networks_in_production(self) -> None:
        guard = Guard(allow_private=False, networks=("10.20.0.0/16",), resolve=finding("10.20.0.1"))
        assert await guard.addresses("bank.internal", 443, EgressRules()) == ["10.20.0.1"]

    def test_uses_proxies_of_the_environment_but_for_this_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        monkeypatch.setenv("NO_PROXY", "inside.example")
        assert environment_proxy("https", "api.example") == "http://proxy.example:3128"
        assert environment_proxy("https", "inside.example") is None
        assert environment_proxy("https", "127.0.0.1") is None


class TestSettings:
    @pytest.mark.parametrize("given", [{"networks": ["10.0.0.0/99"]}, {"query_databases": {"claims": "postgresql://x"}}])
    def test_are_refused_when_they_cannot_be_used(self, given: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            OutboundSettings.model_validate(given)


async def test_every_process_knows_the_built_in_tools() -> None:
    toolbox = build_toolbox(environment="test", ports=lambda _outbound: PlatformPorts())
    names = {spec.name for spec in toolbox.registry.specs()}
    await toolbox.aclose()
    assert {"calc", "web.fetch", "human.ask", "memory.search", "shell.run"} <= names
