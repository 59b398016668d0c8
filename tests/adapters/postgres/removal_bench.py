"""Runs with content in every table, a dump to search, and the stores that remove."""

import base64

import psycopg
from psycopg import sql
from pydantic import JsonValue

from adapters.codec.cipher import TenantCipher
from adapters.postgres.approvals import PostgresApprovalStore
from adapters.postgres.idempotency import PostgresIdempotencyStore
from adapters.postgres.journal import PostgresJournal
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.messages import PostgresMessageStore
from adapters.postgres.payloads import PostgresPayloadStore
from adapters.postgres.pool import Database
from adapters.postgres.removals import PostgresRemovalStore
from adapters.postgres.retention import PostgresRetentionStore
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.subject_ciphers import SubjectCiphers
from adapters.postgres.tasks import PostgresTaskStore
from adapters.postgres.vault import PayloadLimits, Vault
from domain.effects import Carrier, EffectClass, EffectKey, EffectState, Intent, Outcome, RetryClass
from domain.envelope import Usage
from domain.ledger import Verification
from domain.people_stores import DecisionRow
from domain.provider import Message
from domain.runs import Projection, RunStatus
from domain.stores import ConversationHead, StoredAnswer
from domain.subjects import LegalHold, RemovalOrder, subject_pseudonym
from tests.contracts.journal_bench import AT
from tests.contracts.postgres_bench import new_run
from tests.contracts.test_inbox_stores import approval, task
from tests.fake_objects import FakeObjects
from tests.standing_ledger import standing

NAME = "Ada Byron King"
MASTER = bytes(range(32))
PSEUDONYMS = b"p" * 32
ADA = subject_pseudonym(PSEUDONYMS, NAME)
BOB = subject_pseudonym(PSEUDONYMS, "Bob")
LARGE: JsonValue = {"passenger": NAME, "letter": [f"{number:x}" * 8 for number in range(400)]}


def run_id(number: int) -> str:
    """Return a run's id."""
    return f"run_{number:026d}"


class Process:
    """The stores of one process, with its own memory of keys."""

    def __init__(
        self, db: Database, *, objects: FakeObjects | None = None, key_seconds: float = 60.0, payload_bytes: int = 1 << 20
    ) -> None:
        limits = PayloadLimits(inline_bytes=1024, payload_bytes=payload_bytes)
        self.vault = Vault(SubjectCiphers(db, TenantCipher(MASTER), key_seconds=key_seconds), objects=objects, limits=limits)
        self.journal = PostgresJournal(db, self.vault)
        self.runs = PostgresRunStore(db, self.vault)
        self.ledger = PostgresLedgerReader(db)
        self.payloads = PostgresPayloadStore(db, self.vault)
        self.messages = PostgresMessageStore(db, self.vault)
        self.approvals = PostgresApprovalStore(db, self.vault)
        self.tasks = PostgresTaskStore(db, self.vault)
        self.answers = PostgresIdempotencyStore(db, TenantCipher(MASTER))
        self.removals = PostgresRemovalStore(db, self.vault)
        self.retention = PostgresRetentionStore(db, TenantCipher(MASTER))


class RemovalBench(Process):
    """A tenant whose runs speak of NAME wherever text may stand."""

    def __init__(self, db: Database, tenant: str) -> None:
        self.objects = FakeObjects()
        super().__init__(db, objects=self.objects)
        self.db = db
        self.tenant = tenant

    def carrier(self, run: str) -> Carrier:
        """Build a carrier without facts."""
        return Carrier(tenant=self.tenant, run=run, epoch=1, principal="prn_a", correlation_id="corr", facts=())

    async def begin(self, run: str) -> EffectKey:
        """Begin the payment of a run."""
        key = EffectKey(tenant=self.tenant, run=run, step="settle.pay", visit=1, call="0")
        await self.journal.intent(
            Intent(
                carrier=self.carrier(run),
                key=key,
                digest="a" * 64,
                effect_class=EffectClass.MONEY,
                retry_class=RetryClass.IDEMPOTENT,
                subject="bank.pay",
                kind="agent:tool:requested",
                at=AT,
                attempt=1,
                lease_token="t",
                lease_ms=60_000,
                temporal_run_id="temporal-1",
                request={"to": NAME},
            )
        )
        return key

    def outcome(self, key: EffectKey, output: JsonValue) -> Outcome:
        """Build the end of the payment."""
        return Outcome(
            carrier=self.carrier(key.run),
            key=key,
            lease_token="t",
            state=EffectState.DONE,
            kind="agent:tool:called",
            at=AT,
            attempt=1,
            output=output,
            usage=Usage(cost_usd_micros=70),
        )

    async def live(self, number: int, *, subject: str | None) -> str:
        """Bring a run to its approval, with content everywhere, and return its id."""
        run, name = run_id(number), f"{self.tenant}-{number}"
        await self.runs.accept(new_run(self.tenant, run).model_copy(update={"subject": subject, "input": {"passenger": NAME}}))
        await self.journal.outcome(self.outcome(await self.begin(run), LARGE))
        asked = approval(f"apr_{name}").model_copy(update={"title": f"Pay {NAME}?"})
        told = task(f"tsk_{name}").model_copy(update={"detail": f"{NAME} waits", "kind": "failed_compensation"})
        opened = Projection(status=RunStatus.WAITING, waits_for=f"a word about {NAME}", open_approval=asked, open_task=told)
        await self.journal.flush(self.carrier(run), opened, fact_seq=0)
        await self.approvals.store_decision(
            DecisionRow(
                tenant=self.tenant,
                run=run,
                decision_id=f"dec_{name}",
                approval=f"apr_{name}",
                verdict="approve",
                digest="d" * 64,
                comment=f"{NAME} is right",
                principal="prn_b",
                attestation="att",
            )
        )
        await self.tasks.complete(self.tenant, f"tsk_{name}", resolution="happened", output={"paid": NAME}, principal="prn_b", at=AT)
        head = ConversationHead(count=0, digest="")
        await self.messages.append(self.tenant, run, "c", head, [Message(role="user", text=f"I am {NAME}")])
        await self.answers.begin(self.tenant, route="r", key=name, fingerprint="f", lease_s=60)
        body = f'{{"run": "{run}", "title": "Pay {NAME}?"}}'.encode()
        await self.answers.finish(self.tenant, route="r", key=name, answer=StoredAnswer(status=200, body=body))
        return run

    async def ended(self, number: int, *, subject: str | None) -> str:
        """Bring a run to its end and return its id."""
        run = await self.live(number, subject=subject)
        error = {"code": "tool-failed", "detail": f"the bank does not know {NAME}"}
        closed = Projection(status=RunStatus.FAILED, reason=f"about {NAME}", error=error, result={"paid": NAME})
        await self.journal.flush(self.carrier(run), closed, fact_seq=1)
        return run

    def order(self, **changes: object) -> RemovalOrder:
        """Build the order to erase Ada."""
        order = RemovalOrder(tenant=self.tenant, subject=ADA, erasure=f"era_{self.tenant}", mode="erase", principal="prn_admin", at=AT)
        return order.model_copy(update=changes)

    async def hold(self, scope: str, name: str) -> LegalHold:
        """Place a legal hold."""
        fields = {"hold": f"hld_{self.tenant}", "scope": scope, "name": name, "reason": f"a suit of {NAME}", "placed_by": "prn_admin"}
        return await self.retention.place_hold(self.tenant, LegalHold.model_validate({**fields, "placed_at": AT}))

    async def verification(self, run: str) -> Verification:
        """Verify a run's chain."""
        return (await standing(self.ledger, self.tenant, run))[1]

    async def kinds(self, run: str) -> list[str]:
        """Return the kinds of a run's entries."""
        return [entry.kind for entry in await self.ledger.entries(self.tenant, run)]


def dump(owner_url: str, *, tenant: str) -> bytes:
    """Return every stored byte of a tenant, table by table, as a superuser's dump has it."""
    found = bytearray()
    with psycopg.connect(owner_url) as connection:
        tables = connection.execute(
            "SELECT c.table_name FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.column_name = 'tenant_id'"
        ).fetchall()
        for (table,) in tables:
            query = sql.SQL("COPY (SELECT * FROM {} WHERE tenant_id = {}) TO STDOUT").format(sql.Identifier(table), sql.Literal(tenant))
            with connection.cursor().copy(query) as copy:
                for part in copy:
                    found += bytes(part)
    return bytes(found)


def says(stored: bytes, name: str = NAME) -> bool:
    """Tell whether bytes say a name: as text, as hex (how a dump writes bytea), or as base64 at any of its three offsets."""
    raw = name.encode()
    forms = [raw, raw.hex().encode()]
    forms += [base64.b64encode(b"\0" * skip + raw)[4 if skip else 0 : -4] for skip in range(3)]
    return any(form in stored for form in forms)
