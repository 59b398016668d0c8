"""Values by reference: from variables, files and Vault, read anew, and never another tenant's."""

import asyncio
from pathlib import Path

import pytest

from adapters.secrets.store import CACHE_S, SecretValues
from adapters.secrets.vault import HvacReader, token_of
from domain.errors import Unavailable
from tests.servers.vault_server import VaultServer, serving_vault

TENANT = "acme"
PLACE = "vault:secret/acme/bank#token"


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def values(
    vault: VaultServer | None = None, *, clock: Clock | None = None, sources: tuple[str, ...] | None = None, **env: str
) -> SecretValues:
    """Return a store."""
    reader = None if vault is None else HvacReader(vault.url, token=lambda: "root-token-of-the-test")
    more = {} if sources is None else {"sources": sources}
    return SecretValues(environment=env, now_s=clock or Clock(), vault=reader, **more)


class TestVariables:
    async def test_give_the_tenants_own(self) -> None:
        store = values(STANDFAST_SECRET_ACME__BANK="tok", DATABASE_URL="postgres://", STANDFAST_SECRET_OTHER__BANK="no")
        assert await store.resolve(TENANT, "env:STANDFAST_SECRET_ACME__BANK") == "tok"
        for reference in ("env:DATABASE_URL", "env:STANDFAST_SECRET_OTHER__BANK", "env:STANDFAST_SECRET_ACME"):
            with pytest.raises(LookupError, match="no place"):
                await store.resolve(TENANT, reference)

    async def test_that_are_not_there_are_not_set(self) -> None:
        with pytest.raises(LookupError, match="holds no value"):
            await values().resolve(TENANT, "env:STANDFAST_SECRET_ACME__BANK")


class TestFiles:
    async def test_are_read_anew_each_time(self, tmp_path: Path) -> None:
        (tmp_path / TENANT).mkdir()
        file = tmp_path / TENANT / "bank"
        store = values(sources=(f"file:{tmp_path}/{{tenant}}/*",))
        for value in ("first", "second"):
            file.write_text(f"{value}\n", encoding="utf-8")
            assert await store.resolve(TENANT, f"file:{file}") == value

    async def test_that_lead_out_of_their_folder_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / TENANT).mkdir()
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "bank").write_text("no", encoding="utf-8")
        (tmp_path / TENANT / "bank").symlink_to(tmp_path / "other" / "bank")
        store = values(sources=(f"file:{tmp_path}/{{tenant}}/*",))
        with pytest.raises(LookupError, match="leads out"):
            await store.resolve(TENANT, f"file:{tmp_path}/{TENANT}/bank")

    async def test_that_cannot_be_read_are_not_set(self, tmp_path: Path) -> None:
        with pytest.raises(LookupError, match="FileNotFoundError"):
            await values(sources=("file:*",)).resolve(TENANT, f"file:{tmp_path}/missing")


class TestVault:
    async def test_gives_the_newest_version_a_few_seconds_after_a_rotation_and_asks_once_in_a_burst(self) -> None:
        with serving_vault() as vault:
            vault.secrets["secret/acme/bank"] = [{"token": "old"}, {"token": "first"}]
            clock = Clock()
            store = values(vault, clock=clock)
            assert set(await asyncio.gather(*(store.resolve(TENANT, PLACE) for _ in range(10)))) == {"first"}
            assert vault.reads == 1
            vault.secrets["secret/acme/bank"].append({"token": "second"})
            assert await store.resolve(TENANT, PLACE) == "first"
            clock.now_s += CACHE_S
            assert await store.resolve(TENANT, PLACE) == "second"

    @pytest.mark.parametrize("kind", ["missing", "deleted", "forbidden", "other key", "token"])
    async def test_says_which_reference_has_no_value(self, kind: str) -> None:
        with serving_vault() as vault:
            vault.secrets["secret/acme/bank"] = [{"token": "v"}] if kind != "missing" else []
            vault.secrets["secret/acme/bank"] += [None] if kind == "deleted" else []
            vault.forbidden |= {"secret/acme/bank"} if kind == "forbidden" else set()
            vault.tokens = set() if kind == "token" else vault.tokens
            reference = PLACE.replace("#token", "#other") if kind == "other key" else PLACE
            with pytest.raises(LookupError, match="vault:secret/acme/bank#"):
                await values(vault).resolve(TENANT, reference)

    async def test_that_is_sealed_or_away_is_unavailable(self) -> None:
        with serving_vault() as vault:
            vault.sealed = True
            with pytest.raises(Unavailable):
                await values(vault).resolve(TENANT, PLACE)
        with pytest.raises(Unavailable, match="does not answer"):
            await values(vault).resolve(TENANT, PLACE)

    async def test_is_not_asked_for_another_tenants_path(self) -> None:
        with serving_vault() as vault:
            vault.secrets["secret/other/bank"] = [{"token": "no"}]
            with pytest.raises(LookupError, match="no place"):
                await values(vault).resolve(TENANT, "vault:secret/other/bank#token")
        assert vault.reads == 0

    async def test_that_is_not_configured_says_so(self) -> None:
        with pytest.raises(LookupError, match="STANDFAST_VAULT_URL"):
            await values().resolve(TENANT, PLACE)

    async def test_takes_a_token_that_an_agent_renews(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        token = token_of("unused", file)
        with pytest.raises(LookupError):
            token()
        for each in ("one", "two"):
            file.write_text(each + "\n", encoding="utf-8")
            assert token() == each
        with pytest.raises(LookupError, match="STANDFAST_VAULT_TOKEN"):
            token_of(None, None)()
