"""Each run records which bytes of a definition it follows, whatever is registered later."""

from domain.ledger import Kind
from tests.api.gateway import CLAIM, drafts_of, gateway


class TestRun:
    def test_records_the_definitions_sha256_in_row_answer_and_ledger(self) -> None:
        house = gateway()
        run = house.start()
        sha256 = drafts_of(CLAIM)[0].sha256
        house.register(drafts_of(CLAIM.replace("1.0.0", "1.4.0"))[0])
        assert house.stores.database.run("default", run).definition_sha256 == sha256
        assert house.client("viewer").get(f"/v1/runs/{run}").json()["definition_sha256"] == sha256
        accepted = house.stores.database.entries["default", run][0]
        assert accepted.kind == Kind.RUN_ACCEPTED
        assert sha256.encode() in accepted.body
