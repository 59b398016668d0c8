"""Erasing a data subject: what goes, what stays, what is refused, and what a key that was remembered elsewhere is still good for."""

import asyncio
import hashlib

import psycopg
import pytest
from pydantic import JsonValue

from adapters.postgres.pool import Database
from domain.canonical import canonical_bytes
from domain.errors import BodyTooLarge, Erased, ErasureRefused, NotFound, ReferenceMissing, UnderLegalHold
from domain.inbox import InboxFilter
from domain.provider import Message
from domain.stores import ConversationHead
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.removal_bench import ADA, BOB, LARGE, NAME, Process, RemovalBench, dump, run_id, says
from tests.contracts.journal_bench import AT, RUN
from tests.contracts.postgres_bench import new_run


@pytest.fixture
def bench(db: Database, tenant: str) -> RemovalBench:
    """A bench without runs."""
    return RemovalBench(db, tenant)


class TestErasure:
    async def test_leaves_no_trace_of_the_name_in_a_dump(self, bench: RemovalBench, server: MigratedServer) -> None:
        for number in (1, 2):
            await bench.ended(number, subject=ADA)
        await bench.removals.erase(bench.order())
        assert not says(dump(server.owner_url, tenant=bench.tenant))

    async def test_leaves_no_digest_by_which_a_guess_could_be_confirmed(self, bench: RemovalBench, server: MigratedServer) -> None:
        await bench.ended(1, subject=ADA)
        said: list[JsonValue] = [LARGE, {"to": NAME}, {"paid": NAME}]
        guesses = [hashlib.sha256(canonical_bytes(guess)).hexdigest() for guess in said]
        assert says(dump(server.owner_url, tenant=bench.tenant), guesses[0])
        await bench.removals.erase(bench.order())
        stored = dump(server.owner_url, tenant=bench.tenant)
        assert not any(says(stored, digest) for digest in (*guesses, "a" * 64))

    async def test_seals_and_needs_the_key_that_it_destroys(self, bench: RemovalBench, server: MigratedServer) -> None:
        run = await bench.ended(1, subject=ADA)
        with psycopg.connect(server.owner_url) as backup:
            query = "SELECT ref, sealed FROM payloads WHERE tenant_id = %s AND run = %s"
            kept = backup.execute(query, [bench.tenant, run]).fetchall()
        await bench.removals.erase(bench.order())
        with psycopg.connect(server.owner_url) as connection:
            query = "SELECT wrapped FROM subject_keys WHERE tenant_id = %s"
            assert connection.execute(query, [bench.tenant]).fetchall() == [(None,)]
        assert len(kept) == 6
        for ref, sealed in kept:
            with pytest.raises(Erased):
                await bench.vault.open(bench.tenant, run, ref, bytes(sealed))
            with pytest.raises(ReferenceMissing):
                bench.vault.ciphers.of_tenant.open(bench.tenant, f"payloads/{run}/{ref}", bytes(sealed))

    async def test_keeps_ledgers_that_verify_and_say_what_was_done(self, bench: RemovalBench) -> None:
        runs = [await bench.ended(number, subject=ADA) for number in (1, 2)]
        removal = await bench.removals.erase(bench.order())
        _, certificate = await bench.removals.get(bench.tenant, removal.erasure)
        assert [(entry.run, entry.kind) for entry in certificate] == [(run, "gateway:subject:erased") for run in runs]
        for run, entry in zip(runs, certificate, strict=True):
            assert (await bench.verification(run)).ok
            stored = (await bench.ledger.entries(bench.tenant, run))[entry.seq - 1]
            assert (stored.hash.hex(), ADA.encode() in stored.body) == (entry.hash, True)

    async def test_counts_what_went(self, bench: RemovalBench) -> None:
        for number in (1, 2):
            await bench.ended(number, subject=ADA)
        planned = await bench.removals.plan(bench.tenant, ADA)
        removal = await bench.removals.erase(bench.order())
        assert (planned.allowed, planned.contents, len(planned.runs), planned.subject_keys) == (
            True,
            removal.contents,
            removal.runs,
            removal.subject_keys,
        )
        assert (removal.contents.payloads, removal.contents.messages, removal.answers, removal.subject_keys) == (12, 2, 2, 1)
        assert (await bench.removals.page(bench.tenant, limit=5, cursor=None)).items == (removal,)

    async def test_forgets_stored_answers_that_speak_of_its_runs(self, bench: RemovalBench) -> None:
        await bench.ended(1, subject=ADA)
        before = await bench.answers.begin(bench.tenant, route="r", key=f"{bench.tenant}-1", fingerprint="f", lease_s=1)
        assert before is not None
        await bench.removals.erase(bench.order())
        assert await bench.answers.begin(bench.tenant, route="r", key=f"{bench.tenant}-1", fingerprint="f", lease_s=1) is None

    async def test_leaves_other_data_subjects_alone(self, bench: RemovalBench) -> None:
        await bench.ended(1, subject=ADA)
        other, alone = await bench.ended(2, subject=BOB), await bench.ended(3, subject=None)
        await bench.removals.erase(bench.order())
        for run in (other, alone):
            assert (await bench.runs.input_of(bench.tenant, run))[0] == {"passenger": NAME}
            assert await bench.runs.result_of(bench.tenant, run) == {"paid": NAME}
        assert await bench.answers.begin(bench.tenant, route="r", key=f"{bench.tenant}-2", fingerprint="f", lease_s=1) is not None

    async def test_erases_a_run_that_is_its_own_data_subject(self, bench: RemovalBench, server: MigratedServer) -> None:
        run = await bench.ended(1, subject=None)
        await bench.removals.erase(bench.order(subject=run))
        assert not says(dump(server.owner_url, tenant=bench.tenant))
        assert (await bench.runs.get(bench.tenant, run)).erased_at is not None

    async def test_says_so_to_whoever_reads_afterwards(self, bench: RemovalBench) -> None:
        run = await bench.ended(1, subject=ADA)
        await bench.removals.erase(bench.order())
        for reader in (bench, Process(bench.db)):
            with pytest.raises(Erased, match="erased on"):
                await reader.runs.input_of(bench.tenant, run)
            with pytest.raises(Erased):
                await reader.messages.load(bench.tenant, run, "c", ConversationHead(count=1, digest="x"))
            shown = await reader.approvals.get(bench.tenant, f"apr_{bench.tenant}-1")
            assert (shown.projection.title, shown.projection.calls, shown.comment) == ("(erased)", [], None)
            told = await reader.tasks.get(bench.tenant, f"tsk_{bench.tenant}-1")
            assert (told.projection.detail, told.delivered) == ("(erased)", True)
            assert (await reader.approvals.page(bench.tenant, InboxFilter())).items == (shown,)
        with pytest.raises(Erased):
            await bench.removals.erase(bench.order(subject=run, erasure="era_2"))

    async def test_refuses_while_a_run_is_open_and_changes_nothing(self, bench: RemovalBench) -> None:
        ended, live = await bench.ended(1, subject=ADA), await bench.live(2, subject=ADA)
        planned = await bench.removals.plan(bench.tenant, ADA)
        assert (planned.allowed, planned.open_runs) == (False, (live,))
        with pytest.raises(ErasureRefused, match=live):
            await bench.removals.erase(bench.order())
        assert await bench.runs.result_of(bench.tenant, ended) == {"paid": NAME}
        assert (await bench.runs.input_of(bench.tenant, ended))[0] == {"passenger": NAME}

    @pytest.mark.parametrize("scope", ["tenant", "definition", "subject", "run"])
    async def test_refuses_what_a_legal_hold_covers(self, bench: RemovalBench, scope: str) -> None:
        run = await bench.ended(1, subject=ADA)
        hold = await bench.hold(scope, {"tenant": "", "definition": "delay-claim", "subject": ADA, "run": run}[scope])
        with pytest.raises(UnderLegalHold, match=hold.hold):
            await bench.removals.erase(bench.order())
        released = await bench.retention.release_hold(bench.tenant, hold.hold, principal="prn_admin")
        assert (released.reason, released.released_by) == (f"a suit of {NAME}", "prn_admin")
        assert (await bench.removals.erase(bench.order())).runs == 1

    async def test_names_a_data_subject_without_runs_and_a_run_of_another(self, bench: RemovalBench) -> None:
        with pytest.raises(NotFound, match="letter for letter"):
            await bench.removals.plan(bench.tenant, ADA)
        run = await bench.ended(1, subject=ADA)
        with pytest.raises(ErasureRefused, match=ADA):
            await bench.removals.erase(bench.order(subject=run))

    async def test_anonymising_cuts_the_last_link_and_keeps_the_figures(self, bench: RemovalBench, server: MigratedServer) -> None:
        run = await bench.ended(1, subject=ADA)
        await bench.removals.erase(bench.order(mode="anonymise", replacement="sub_" + "z" * 26))
        stored = dump(server.owner_url, tenant=bench.tenant)
        assert not says(stored)
        assert not says(stored, ADA)
        row = await bench.runs.get(bench.tenant, run)
        assert (row.status, row.error, row.cost_usd_micros) == ("failed", {"code": "tool-failed", "detail": "(erased)"}, 70)
        assert (row.subject, (await bench.verification(run)).ok) == ("sub_" + "z" * 26, True)
        with pytest.raises(NotFound):
            await bench.removals.plan(bench.tenant, ADA)

    async def test_a_person_who_comes_again_gets_a_new_key(self, bench: RemovalBench) -> None:
        await bench.ended(1, subject=ADA)
        await bench.removals.erase(bench.order())
        again = await bench.ended(2, subject=ADA)
        assert (await bench.runs.input_of(bench.tenant, again))[0] == {"passenger": NAME}
        assert (await bench.removals.plan(bench.tenant, ADA)).runs == (again,)

    async def test_a_run_that_comes_at_the_same_time_is_erased_or_lives_under_a_new_key(self, bench: RemovalBench) -> None:
        await bench.ended(1, subject=ADA)
        starts = [bench.runs.accept(new_run(bench.tenant, run_id(number)).model_copy(update={"subject": ADA})) for number in range(2, 12)]
        done = await asyncio.gather(bench.removals.erase(bench.order()), *starts, return_exceptions=True)
        refused = isinstance(done[0], ErasureRefused)
        assert refused or not isinstance(done[0], BaseException)
        for number in range(2, 12):
            assert (await Process(bench.db).runs.input_of(bench.tenant, run_id(number)))[0] == {"claim": {"passenger": "Ada"}}


class TestRememberedKeys:
    async def test_of_another_process_are_good_for_nothing_once_they_are_read_anew(self, bench: RemovalBench) -> None:
        run = await bench.ended(1, subject=ADA)
        other = Process(bench.db, key_seconds=0.0)
        head = await other.messages.append(bench.tenant, run, "d", ConversationHead(count=0, digest=""), [Message(role="user", text="hi")])
        await bench.removals.erase(bench.order())
        with pytest.raises(Erased):
            await other.messages.load(bench.tenant, run, "d", head)

    async def test_write_only_what_nobody_can_open(self, bench: RemovalBench) -> None:
        run = await bench.ended(1, subject=ADA)
        late = Process(bench.db)
        ref = await late.payloads.put(bench.tenant, run, {"passenger": NAME})
        await bench.removals.erase(bench.order())
        after = await late.payloads.put(bench.tenant, run, {"passenger": NAME})
        with pytest.raises(ReferenceMissing):
            await late.payloads.get(bench.tenant, ref)
        with pytest.raises(Erased):
            await Process(bench.db).payloads.get(bench.tenant, after)


class TestResidue:
    async def test_is_told_until_it_is_cleared_and_then_the_certificate_is_complete(self, bench: RemovalBench) -> None:
        runs = [await bench.ended(number, subject=ADA) for number in (1, 2)]
        removal = await bench.removals.erase(bench.order())
        residues = await bench.removals.residues(bench.tenant, limit=9)
        assert [residue.run for residue in residues] == runs
        for residue in residues:
            assert (await bench.removals.get(bench.tenant, removal.erasure))[0].completed_at is None
            await bench.removals.counted(bench.tenant, residue, objects=3, histories=1)
            for _ in range(2):
                await bench.removals.cleared(bench.tenant, residue, at=AT)
        assert await bench.removals.residues(bench.tenant, limit=9) == []
        done, certificate = await bench.removals.get(bench.tenant, removal.erasure)
        assert (done.completed_at is not None, done.objects, done.histories, len(certificate)) == (True, 6, 2, 4)
        assert (await bench.kinds(runs[0]))[-2:] == ["gateway:subject:erased", "platform:removal:completed"]
        assert (await bench.verification(runs[0])).ok

    async def test_of_the_last_two_runs_cleared_at_once_completes_the_certificate(
        self, bench: RemovalBench, server: MigratedServer
    ) -> None:
        for number in (1, 2):
            await bench.ended(number, subject=ADA)
        removal = await bench.removals.erase(bench.order())
        residues = await bench.removals.residues(bench.tenant, limit=9)
        with psycopg.connect(server.owner_url) as holder, psycopg.connect(server.owner_url, autocommit=True) as watcher:
            holder.execute("SELECT FROM erasures WHERE tenant_id = %s FOR UPDATE", [bench.tenant])
            clearing = asyncio.gather(*(bench.removals.cleared(bench.tenant, residue, at=AT) for residue in residues))
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while watcher.execute(waiting).fetchall() != [(2,)]:
                await asyncio.sleep(0.01)
            holder.rollback()
            await clearing
        done, _ = await bench.removals.get(bench.tenant, removal.erasure)
        assert done.completed_at is not None


class TestLargePayloads:
    async def test_leave_a_claim_check_in_their_row(self, bench: RemovalBench, server: MigratedServer) -> None:
        run = await bench.ended(1, subject=ADA)
        with psycopg.connect(server.owner_url) as connection:
            query = "SELECT ref, octet_length(sealed) FROM payloads WHERE tenant_id = %s AND octet_length(sealed) < 20"
            ((ref, size),) = connection.execute(query, [bench.tenant]).fetchall()
        assert (size, list(bench.objects.stored)) == (11, [f"{bench.tenant}/{run}/{ref}"])
        assert await bench.payloads.get(bench.tenant, ref) == LARGE
        assert not says(bench.objects.stored[f"{bench.tenant}/{run}/{ref}"][0])

    async def test_over_the_limit_are_refused_and_leave_nothing(self, bench: RemovalBench) -> None:
        small = Process(bench.db, objects=bench.objects, payload_bytes=100)
        with pytest.raises(BodyTooLarge, match="at most 100; keep it elsewhere"):
            await small.runs.accept(new_run(bench.tenant).model_copy(update={"input": LARGE}))
        assert bench.objects.stored == {}
        with pytest.raises(NotFound):
            await small.runs.get(bench.tenant, RUN)

    async def test_whose_object_is_gone_or_cut_are_missing(self, bench: RemovalBench) -> None:
        await bench.ended(1, subject=ADA)
        ((path, (content, at)),) = bench.objects.stored.items()
        bench.objects.stored[path] = (content[:-1], at)
        with pytest.raises(ReferenceMissing, match="claim check"):
            await bench.payloads.get(bench.tenant, path.rpartition("/")[2])
        bench.objects.stored.clear()
        with pytest.raises(ReferenceMissing, match=path):
            await bench.payloads.get(bench.tenant, path.rpartition("/")[2])

    async def test_of_a_crash_before_the_row_are_known_as_orphans(self, bench: RemovalBench) -> None:
        run = await bench.ended(1, subject=ADA)
        sealed = await bench.vault.seal(bench.tenant, run, LARGE)
        refs = [path.rpartition("/")[2] for path in bench.objects.stored]
        assert set(refs) - await bench.removals.known_refs(bench.tenant, refs) == {sealed.ref}
