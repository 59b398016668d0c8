"""Who gets a secret: the tool that declared it, of the tenant that named it, in the environment it was named for (PROOF B16)."""

import pytest

from domain.errors import InvalidInput, ToolFailed
from domain.secrets import DEFAULT_SOURCES, ENVIRONMENTS, ToolSecrets, may_name, only_declared, parse_reference
from tests.fakes_mcp import FakeSecretReferences


class Values:
    """A `SecretStore` that answers with the reference, but for one that has no value."""

    def __init__(self, without: str | None) -> None:
        self._without = without

    async def resolve(self, tenant: str, reference: str) -> str:
        """Return which value it would be.

        Raises:
            LookupError: there is none.
        """
        if reference == self._without:
            raise LookupError(f"{reference} holds no value")
        return f"value of {reference} for {tenant}"


async def secrets(environment: str, *, without: str | None = None) -> tuple[ToolSecrets, list[tuple[str, str]]]:
    """Return secrets of an installation in which acme named BANK for every environment, and what was told to be known."""
    references, known = FakeSecretReferences(), list[tuple[str, str]]()
    for each in ENVIRONMENTS:
        await references.put("acme", each, "BANK", f"env:{each.upper()}", by="prn_a")
    await references.put("acme", "test", "TEST_ONLY", "env:T", by="prn_a")
    return ToolSecrets(
        references=references,
        store=Values(without),
        environment=environment,
        known=lambda tenant, value: known.append((tenant, value)),
        settings=lambda tenant, name: "set" if (tenant, name) == ("default", "OWN") else None,
    ), known


class TestToolSecrets:
    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    async def test_are_of_this_environment_and_of_no_other(self, environment: str) -> None:
        own, known = await secrets(environment)
        assert await own.resolve("acme", "BANK") == f"value of env:{environment.upper()} for acme"
        assert known == [("acme", f"value of env:{environment.upper()} for acme")]
        if environment != "test":
            with pytest.raises(LookupError, match=f"no reference in the environment {environment}"):
                await own.resolve("acme", "TEST_ONLY")

    async def test_are_no_other_tenants(self) -> None:
        own, known = await secrets("production")
        for tenant in ("other", "acm", "acme2", "default"):
            with pytest.raises(LookupError):
                await own.resolve(tenant, "BANK")
        assert known == []

    async def test_of_the_operators_settings_are_of_the_tenant_they_are_set_for(self) -> None:
        own, _ = await secrets("production")
        assert await own.resolve("default", "OWN") == "set"
        with pytest.raises(LookupError):
            await own.resolve("acme", "OWN")

    async def test_that_are_learned_are_told_to_be_known_and_given_to_nobody(self) -> None:
        own, known = await secrets("test")
        assert await own.learn("acme") == []
        assert known == [("acme", "value of env:TEST for acme"), ("acme", "value of env:T for acme")]
        assert await own.learn("other") == []

    async def test_that_cannot_be_read_are_told_by_name_when_the_others_are_learned(self) -> None:
        own, known = await secrets("test", without="env:TEST")
        assert await own.learn("acme") == ["BANK"]
        assert known == [("acme", "value of env:T for acme")]

    async def test_a_tool_gets_what_it_declared_and_nothing_else(self) -> None:
        own, known = await secrets("production")
        reveal = only_declared("bank.pay", ("BANK",), own.resolve)
        assert await reveal("acme", "BANK")
        for name in ("TEST_ONLY", "OWN", "bank", "BANK ", "PATH"):
            with pytest.raises(ToolFailed, match="does not declare"):
                await reveal("acme", name)
        assert len(known) == 1

    async def test_a_declared_one_that_is_not_set_is_told_by_name(self) -> None:
        own, _ = await secrets("production")
        with pytest.raises(ToolFailed, match="needs the secret MISSING"):
            await only_declared("bank.pay", ("MISSING",), own.resolve)("acme", "MISSING")


class TestReferences:
    @pytest.mark.parametrize("text", ["env:A", "file:/run/secrets/x/y", "vault:secret/acme/bank#token", "vault:kv/a/b/c#k.v-1"])
    def test_are_written_as_they_are_read(self, text: str) -> None:
        assert parse_reference(text).text == text

    @pytest.mark.parametrize(
        "text", ["", "env:1A", "env:A;B", "file:x", "file:/a/../b", "file:/a\n", "vault:a/b", "vault:a/b#", "value", "env:" + "A" * 600]
    )
    def test_that_are_none_are_refused_without_being_repeated(self, text: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            parse_reference(text)
        assert not text or text not in caught.value.detail or text in ("value", "env:1A"[:4])

    def test_of_tenants_whose_names_begin_alike_are_apart(self) -> None:
        tenants = ("acme", "acme-2", "acme-eu", "ac")
        for one in tenants:
            for other in tenants:
                for source in DEFAULT_SOURCES:
                    place = source.replace("{tenant}", other).replace("{TENANT}", other.upper().replace("-", "_")).replace("*", "x")
                    reference = parse_reference(place + ("#k" if place.startswith("vault:") else ""))
                    assert may_name(one, reference, DEFAULT_SOURCES) == (one == other), (one, place)
