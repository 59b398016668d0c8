"""Heads, keys, proofs and bundles over HTTP: whatever is served is checked here by the stand-alone verifier."""

import asyncio
from base64 import b64decode

import pytest

from domain.merkle import is_consistent, leaf_hash, root_by_inclusion
from domain.sealing import Sealed
from standfast_verify import Report, Verdict, bundle_of, verify_bundle
from standfast_verify.bundle import head_of, key_of
from tests.api.gateway import Gateway, wait_for
from tests.api.test_ledger import grown
from tests.domain.test_ledger import rechained


def seal(house: Gateway, tenant: str = "default") -> None:
    """Seal everything that waits."""

    async def sealed() -> Sealed | None:
        epoch = await house.stores.log.claim(tenant, holder="sealer", lease_s=60)
        assert epoch is not None
        return await house.stores.log.seal(tenant, epoch=epoch, lease_s=60)

    assert asyncio.run(sealed()) is not None


def verified(house: Gateway, path: str, *, since: tuple[int, ...] = (), remembered: tuple[object, ...] = ()) -> Report:
    """Download a bundle and check it, with the keys of the route for keys."""
    answer = house.client("auditor").get(path, params={"since": list(since)})
    assert answer.status_code == 200, answer.text
    keys = [key_of(key, "key") for key in house.client("viewer").get("/v1/ledger/keys").json()["public_keys"]]
    heads = [head_of(head, "head") for head in remembered]
    return verify_bundle(bundle_of(answer.json()), trusted={key.key_id: key for key in keys}, remembered=heads)


class TestHeads:
    def test_are_listed_newest_first_in_pages(self, house: Gateway) -> None:
        for _ in range(3):
            house.start()
            seal(house)
        client = house.client("viewer")
        first = client.get("/v1/ledger/heads", params={"limit": 2}).json()
        second = client.get("/v1/ledger/heads", params={"cursor": first["next_cursor"]}).json()
        assert [head["tree_size"] for head in (*first["items"], *second["items"])] == [3, 2, 1]
        assert second["next_cursor"] is None
        assert client.get("/v1/ledger/heads/2").json() == first["items"][1]

    @pytest.mark.parametrize(("path", "status"), [("/4", 404), ("/0", 404), ("/x", 400), ("/-1", 400), ("/" + "9" * 30, 400)])
    def test_of_no_signed_size_are_not_there(self, house: Gateway, path: str, status: int) -> None:
        house.start()
        seal(house)
        assert house.client("viewer").get(f"/v1/ledger/heads{path}").status_code == status

    def test_of_another_tenant_are_not_there(self, house: Gateway) -> None:
        run = house.start()
        seal(house)
        stranger = house.client("stranger")
        assert stranger.get("/v1/ledger/heads").json() == {"items": [], "next_cursor": None}
        assert stranger.get("/v1/ledger/heads/1").status_code == 404
        assert stranger.get("/v1/ledger/keys").json() == {"public_keys": []}
        assert stranger.get("/v1/ledger/consistency", params={"from": 1, "to": 1}).status_code == 404
        absent = stranger.get("/v1/runs/run_00000000000000000000000000/ledger/proof").json()
        foreign = stranger.get(f"/v1/runs/{run}/ledger/proof").json()
        assert foreign["code"] == absent["code"] == "not-found"
        assert stranger.get(f"/v1/runs/{run}/ledger/bundle").status_code == 404
        assert stranger.get("/v1/ledger/bundle").json()["entries"] == []


class TestProof:
    def test_leads_from_every_entry_to_the_signed_root(self, house: Gateway) -> None:
        grown(house, 3)
        run = grown(house, 4)
        seal(house)
        said = house.client("viewer").get(f"/v1/runs/{run}/ledger/proof").json()
        assert [proof["seq"] for proof in said["inclusion"]] == [1, 2, 3, 4]
        entries = house.client("viewer").get(f"/v1/runs/{run}/ledger").json()["entries"]
        for proof, entry in zip(said["inclusion"], entries, strict=True):
            path = [bytes.fromhex(step) for step in proof["path"]]
            root = root_by_inclusion(leaf_hash(b64decode(entry["hash"])), proof["leaf_index"], proof["tree_size"], path)
            assert root is not None
            assert root.hex() == said["head"]["root_hash"]

    def test_is_empty_before_the_first_head(self, house: Gateway) -> None:
        run = house.start()
        said = house.client("viewer").get(f"/v1/runs/{run}/ledger/proof").json()
        assert said == {"run": run, "head": None, "inclusion": [], "next_after": None}

    def test_comes_in_parts_and_under_an_older_head(self, house: Gateway) -> None:
        run = grown(house, 3)
        seal(house)
        house.client("operator").post(f"/v1/runs/{run}/cancel")
        seal(house)
        client = house.client("viewer")
        part = client.get(f"/v1/runs/{run}/ledger/proof", params={"limit": 2}).json()
        assert ([proof["seq"] for proof in part["inclusion"]], part["next_after"]) == ([1, 2], 2)
        old = client.get(f"/v1/runs/{run}/ledger/proof", params={"size": 3, "after": 1}).json()
        assert ([proof["seq"] for proof in old["inclusion"]], old["head"]["tree_size"]) == ([2, 3], 3)
        assert client.get(f"/v1/runs/{run}/ledger/proof", params={"size": 2}).status_code == 404

    def test_of_consistency_joins_two_heads(self, house: Gateway) -> None:
        for entries in (3, 2):
            grown(house, entries)
            seal(house)
        client = house.client("viewer")
        old, new = (client.get(f"/v1/ledger/heads/{size}").json() for size in (3, 5))
        path = client.get("/v1/ledger/consistency", params={"from": 3, "to": 5}).json()["path"]
        roots = [bytes.fromhex(head["root_hash"]) for head in (old, new)]
        assert is_consistent((3, roots[0]), (5, roots[1]), [bytes.fromhex(step) for step in path])

    @pytest.mark.parametrize(
        ("query", "status"),
        [({"from": 1}, 422), ({"from": 0, "to": 1}, 422), ({"from": 2, "to": 1}, 422), ({"from": 1, "to": 9}, 404), ({"a": 1}, 422)],
    )
    def test_of_consistency_wants_two_sizes_of_the_log(self, house: Gateway, query: dict[str, int], status: int) -> None:
        grown(house, 3)
        seal(house)
        assert house.client("viewer").get("/v1/ledger/consistency", params=query).status_code == status


class TestKeys:
    def test_rotate_once_for_an_idempotency_key(self, house: Gateway) -> None:
        house.start()
        seal(house)
        client = house.client("admin")
        made = [client.post("/v1/ledger/keys/rotate", headers={"Idempotency-Key": "k"}).json() for _ in range(3)]
        keys = client.get("/v1/ledger/keys").json()["public_keys"]
        assert [key["key_id"] for key in keys][1:] == [made[0]["key_id"]]
        assert made[0] == made[1] == made[2] == keys[1]
        assert (keys[0]["valid_to_us"], keys[1]["valid_to_us"]) == (keys[1]["valid_from_us"], None)

    def test_are_rotated_by_admins_only(self, house: Gateway) -> None:
        assert house.client("auditor").post("/v1/ledger/keys/rotate").status_code == 403


class TestBundle:
    def test_of_a_run_is_verified_by_the_stand_alone_verifier(self, house: Gateway) -> None:
        grown(house, 5)
        run = grown(house, 4)
        seal(house)
        report = verified(house, f"/v1/runs/{run}/ledger/bundle")
        assert (report.verdict, report.problems) == (Verdict.VERIFIED, [])
        assert (report.runs, report.entries, report.sealed, report.tree_size) == (1, 4, 4, 9)

    def test_of_a_tenant_holds_every_run(self, house: Gateway) -> None:
        for entries in (1, 2, 3):
            grown(house, entries)
        seal(house)
        report = verified(house, "/v1/ledger/bundle")
        assert (report.verdict, report.problems) == (Verdict.VERIFIED, [])
        assert (report.runs, report.entries, report.sealed, report.tree_size) == (3, 6, 6, 6)

    def test_goes_over_rotated_keys_and_remembered_heads(self, house: Gateway) -> None:
        run = grown(house, 3)
        seal(house)
        remembered = house.client("auditor").get("/v1/ledger/heads/3").json()
        grown(house, 1)
        seal(house)
        house.client("admin").post("/v1/ledger/keys/rotate")
        grown(house, 2)
        seal(house)
        for path in (f"/v1/runs/{run}/ledger/bundle", "/v1/ledger/bundle"):
            report = verified(house, path, since=(3,), remembered=(remembered,))
            assert (report.verdict, report.problems) == (Verdict.VERIFIED, [])
            assert (report.heads, report.remembered) == (3, 1)

    def test_marks_what_no_head_covers_yet(self, house: Gateway) -> None:
        run = grown(house, 2)
        assert verified(house, f"/v1/runs/{run}/ledger/bundle").problems[0].reason.startswith("the bundle holds no signed tree head")
        seal(house)
        house.client("operator").post(f"/v1/runs/{run}/cancel")
        entries = house.client("auditor").get(f"/v1/runs/{run}/ledger/bundle").json()["entries"]
        assert [entry["leaf_index"] for entry in entries] == [0, 1, None]
        assert verified(house, "/v1/ledger/bundle").sealed == 2

    def test_ignores_remembered_sizes_that_were_never_signed(self, house: Gateway) -> None:
        run = grown(house, 2)
        seal(house)
        answer = house.client("auditor").get(f"/v1/runs/{run}/ledger/bundle", params={"since": [1, 7]}).json()
        assert ([head["tree_size"] for head in answer["tree_heads"]], answer["consistency"]) == ([2], [])
        assert house.client("auditor").get(f"/v1/runs/{run}/ledger/bundle", params={"since": list(range(1, 23))}).status_code == 422

    def test_of_a_rewritten_chain_is_found_out(self, house: Gateway) -> None:
        run = grown(house, 3)
        seal(house)
        chain = house.stores.database.entries["default", run]
        rows = [entry.model_copy(update={"body": entry.body.replace(b"prn_", b"prx_")}) for entry in chain]
        house.stores.database.entries["default", run] = rechained(rows)
        problems = verified(house, f"/v1/runs/{run}/ledger/bundle").problems
        assert {(problem.run, problem.seq) for problem in problems} >= {(run, 1), (run, 2), (run, 3)}
        assert "is not leaf 0 of the signed tree" in next(problem.reason for problem in problems if problem.seq == 1)

    def test_of_a_tenant_is_for_auditors(self, house: Gateway) -> None:
        assert house.client("operator").get("/v1/ledger/bundle").status_code == 403
        wait_for(house.stores.log.rotate_key("default"))
        assert house.client("auditor").get("/v1/ledger/bundle").json()["entries"] == []
