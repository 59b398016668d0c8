"""Ledgers over HTTP: the bytes verify without the server, and a changed row is found."""

from base64 import b64decode

from domain.ledger import StoredEntry, verify_entries
from tests.api.gateway import Gateway, gateway
from tests.fakes_runs import FakeLedgerReader


def ledger_of(house: Gateway, run: str, **query: int) -> dict[str, object]:
    return house.client("auditor").get(f"/v1/runs/{run}/ledger", params=query).json()


def grown(house: Gateway, entries: int) -> str:
    """Return a run whose chain has that many entries."""
    run = house.start()
    for _ in range(entries - 1):
        house.client("operator").post(f"/v1/runs/{run}/cancel")
    return run


class GrowingReader(FakeLedgerReader):
    """A ledger to which the run's worker appends between any two reads."""

    def __init__(self, house: Gateway) -> None:
        super().__init__(house.stores.database)
        self._house = house

    async def entries(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> list[StoredEntry]:
        """Return them, after one more was appended."""
        self._append(run)
        return await super().entries(tenant, run, after=after, limit=limit)

    async def head(self, tenant: str, run: str) -> tuple[int, bytes]:
        """Return it, after one more entry was appended."""
        self._append(run)
        return await super().head(tenant, run)

    def _append(self, run: str) -> None:
        self._house.client("operator").post(f"/v1/runs/{run}/cancel")


class TestLedger:
    def test_gives_bytes_that_anybody_can_verify(self, house: Gateway) -> None:
        run = grown(house, 4)
        answer = house.client("auditor").get(f"/v1/runs/{run}/ledger").json()
        decoded = [{**entry, **{name: b64decode(entry[name]) for name in ("prev", "hash", "body")}} for entry in answer["entries"]]
        head = (answer["head"]["seq"], bytes.fromhex(answer["head"]["hash"]))
        verdict = verify_entries([StoredEntry.model_validate(entry) for entry in decoded], head=head)
        assert (verdict.ok, verdict.entries) == (True, 4)

    def test_comes_in_parts(self, house: Gateway) -> None:
        run = grown(house, 5)
        client, seen, after = house.client("auditor"), list[int](), 0
        while after is not None:
            part = client.get(f"/v1/runs/{run}/ledger", params={"after": after, "limit": 2}).json()
            seen += [entry["seq"] for entry in part["entries"]]
            after = part["next_after"]
        assert seen == [1, 2, 3, 4, 5]

    def test_has_no_next_part_when_the_last_one_is_full(self, house: Gateway) -> None:
        run = grown(house, 2)
        assert ledger_of(house, run, limit=2)["next_after"] is None


class TestVerify:
    def test_says_that_a_whole_chain_holds(self, house: Gateway) -> None:
        run = grown(house, 3)
        said = house.client("auditor").get(f"/v1/runs/{run}/ledger/verify").json()
        assert (said["ok"], said["entries"], said["broken"]) == (True, 3, None)
        assert said["head"] == house.stores.database.run("default", run).head_hash

    def test_takes_no_entry_that_comes_meanwhile_for_a_missing_tail(self, house: Gateway) -> None:
        run = grown(house, 3)
        growing = gateway(ledger=GrowingReader(house), keys=house.stores.keys)
        growing.keys = house.keys
        said = growing.client("auditor").get(f"/v1/runs/{run}/ledger/verify").json()
        assert (said["ok"], said["entries"]) == (True, 4)

    def test_names_the_first_entry_whose_bytes_were_changed(self, house: Gateway) -> None:
        run = grown(house, 4)
        chain = house.stores.database.entries["default", run]
        chain[1] = chain[1].model_copy(update={"body": chain[1].body.replace(b"prn_", b"prx_")})
        said = house.client("auditor").get(f"/v1/runs/{run}/ledger/verify").json()
        assert (said["ok"], said["broken"]["seq"], "hash" in said["broken"]["reason"]) == (False, 2, True)

    def test_names_a_column_that_says_other_than_its_bytes(self, house: Gateway) -> None:
        run = grown(house, 3)
        chain = house.stores.database.entries["default", run]
        chain[2] = chain[2].model_copy(update={"principal": "prn_other"})
        said = house.client("auditor").get(f"/v1/runs/{run}/ledger/verify").json()
        assert (said["broken"]["seq"], "principal" in said["broken"]["reason"]) == (3, True)

    def test_misses_a_tail_that_was_cut_off(self, house: Gateway) -> None:
        run = grown(house, 3)
        house.stores.database.entries["default", run].pop()
        said = house.client("auditor").get(f"/v1/runs/{run}/ledger/verify").json()
        assert (said["ok"], said["broken"]["seq"]) == (False, 3)
