"""HTTP tools in YAML: what is read, and how mistakes are told."""

from pathlib import Path

import pytest

from adapters.tools.declarations import read_http_tools, read_http_tools_file
from domain.effects import EffectClass
from domain.errors import InvalidDefinition

GOOD = """
tools:
  - kind: http
    name: bank.pay
    version: 1.2.0
    description: Pays a claim.
    method: POST
    url: ${BANK_URL}/claims/{claim_id}/payments
    headers: {authorization: "Bearer secret:BANK_TOKEN"}
    input: {type: object, properties: {claim_id: {type: string}}, required: [claim_id]}
    effect_class: money
    bindable: [claim_id]
"""
BASES = {"BANK_URL": "http://127.0.0.1:8401/"}


class TestHttpToolsInYaml:
    def test_become_declarations(self) -> None:
        (declared,) = read_http_tools(GOOD, source="tools.yaml", bases=BASES)
        assert declared.url == "http://127.0.0.1:8401/claims/{claim_id}/payments"
        assert (declared.spec().name, declared.spec().effect_class) == ("bank.pay", EffectClass.MONEY)

    @pytest.mark.parametrize(
        ("old", "new", "where", "reason"),
        [
            ("tools:", "tools: [", "tools.yaml:", "not readable as YAML"),
            ("tools:", "tool:", "tools.yaml", "holds one key, `tools`"),
            ("${BANK_URL}", "${MAIL_URL}", "tools.yaml#/tools/0/url", "set are: BANK_URL"),
            ("effect_class: money", "effect_class: cash", "tools.yaml#/tools/0", "effect_class"),
            ("bindable", "bindables", "tools.yaml#/tools/0", "bindables: Extra inputs"),
            ("{type: string}", "{type: text}", "tools.yaml#/tools/0/input/properties/claim_id/type", "input"),
            ("${BANK_URL}", "ftp://bank", "tools.yaml#/tools/0", "must begin with https"),
        ],
    )
    def test_are_refused_with_the_place(self, old: str, new: str, where: str, reason: str) -> None:
        with pytest.raises(InvalidDefinition) as caught:
            read_http_tools(GOOD.replace(old, new), source="tools.yaml", bases=BASES)
        assert reason in caught.value.detail
        assert str(caught.value.where).startswith(where)

    def test_are_refused_when_the_file_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidDefinition, match="cannot be read"):
            read_http_tools_file(tmp_path / "absent.yaml")
