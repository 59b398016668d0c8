"""The signed log through the client, against the real gateway."""

import json

import pytest

from domain.ledger import EntryBody, Kind
from standfast_client import ForbiddenError, NotFoundError
from standfast_verify import Verdict, bundle_of, verify_bundle
from tests.api.test_ledger import grown
from tests.api.test_proofs import seal
from tests.clients.live_gateway import LiveGateway
from tests.contracts.journal_bench import AT


class TestLog:
    def test_has_heads_proofs_and_bundles(self, live: LiveGateway) -> None:
        run = grown(live.house, 3)
        seal(live.house)
        grown(live.house, 2)
        seal(live.house)
        with live.client("auditor") as client:
            newest, oldest = client.ledger.heads()
            assert (newest.tree_size, oldest) == (5, client.ledger.head(3))
            assert [key.key_id for key in client.ledger.signing_keys()] == [newest.key_id]
            assert [proof.seq for proof in client.ledger.inclusion(run)] == [1, 2, 3]
            assert {proof.tree_size for proof in client.ledger.inclusion(run, tree_size=3)} == {3}
            assert client.ledger.consistency(3, 5).to_size == 5
            for content in (client.ledger.bundle(run, since=[3]), client.ledger.bundle()):
                report = verify_bundle(bundle_of(json.loads(content)))
                assert (report.verdict, report.problems) == (Verdict.SELF_CONSISTENT, [])

    async def test_is_the_same_awaited(self, live: LiveGateway) -> None:
        run = grown(live.house, 3)
        async with live.async_client("admin") as client:
            assert await client.ledger.inclusion(run) == []
            key = await client.ledger.rotate_signing_key()
            assert await client.ledger.signing_keys() == [key]
            assert await client.ledger.heads() == []
            assert json.loads(await client.ledger.bundle(run))["run"] == run
            with pytest.raises(NotFoundError):
                await client.ledger.consistency(1, 2)
            with pytest.raises(NotFoundError):
                await client.ledger.head(1)

    def test_keeps_rotation_and_the_whole_ledger_to_those_who_may(self, live: LiveGateway) -> None:
        with live.client("operator") as client:
            with pytest.raises(ForbiddenError):
                client.ledger.rotate_signing_key()
            with pytest.raises(ForbiddenError):
                client.ledger.bundle()

    def test_gives_proofs_of_a_long_run_in_parts(self, live: LiveGateway) -> None:
        run = live.house.start()
        body = EntryBody(kind=Kind.RUN_CANCEL_REQUESTED, at=AT, principal="prn_a", correlation_id="c", epoch=0)
        for _ in range(1005):
            live.house.stores.database.append("default", run, body)
        seal(live.house)
        seal(live.house)
        with live.client("auditor") as client:
            assert [proof.seq for proof in client.ledger.inclusion(run)] == list(range(1, 1007))
            report = verify_bundle(bundle_of(json.loads(client.ledger.bundle(run))))
        assert (report.problems, report.sealed) == ([], 1006)
