"""Every tool that is installed says what it does to the world, and which of its arguments lead outside (PROOF B24)."""

import re

import pytest
from pydantic import JsonValue

from domain.openapi_import import URL_NAMES
from domain.tools import ToolSpec
from wiring.tools import build_toolbox

SPECS = build_toolbox(environment="test").registry.specs()


def leads_outside(name: str, schema: JsonValue) -> bool:
    """Whether an argument is an address, by its format or its name."""
    told = schema if isinstance(schema, dict) else {}
    return (
        told.get("format") in ("uri", "url", "iri", "uri-reference")
        or URL_NAMES.search(re.sub(r"[^a-z0-9]+", "_", name.lower())) is not None
    )


def addresses_of(spec: ToolSpec) -> set[str]:
    """Return the arguments of a tool that are addresses."""
    given = spec.input_schema.get("properties")
    return {name for name, schema in (given if isinstance(given, dict) else {}).items() if leads_outside(name, schema)}


class TestInstalledTools:
    def test_are_some(self) -> None:
        assert {"python.run"} <= {spec.name for spec in SPECS}

    @pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
    def test_that_take_addresses_declare_them_so_that_policy_sees_them(self, spec: ToolSpec) -> None:
        assert addresses_of(spec) <= set(spec.url_arguments)

    @pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.url_arguments], ids=lambda spec: spec.name)
    def test_that_take_addresses_declare_the_hosts_they_may_reach(self, spec: ToolSpec) -> None:
        assert spec.egress, "a read that takes an address is egress"
        assert all(f"'{name.rpartition('.')[2]}'" in str(spec.input_schema) for name in spec.url_arguments)
