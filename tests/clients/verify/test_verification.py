"""What the verifier says about good evidence and about each way in which it can be wrong."""

import base64
import json

import pytest

from standfast_verify import BadInput, Problem, Report, Verdict, bundle_of, verify_bundle
from standfast_verify.bundle import head_of, key_of
from standfast_verify.reading import parsed
from tests.clients.verify.writer import START_US, Json, Ledger, Signer, body_in, body_of, entry_hash, jcs, sample_ledger

THIEF = Signer("a thief")


def verified(bundle: Json, *, trust: list[Json] | None = None, heads: list[Json] | None = None) -> Report:
    """Verify a bundle with these keys and heads."""
    trusted = None if trust is None else {key["key_id"]: key_of(key, "key") for key in trust}
    read = bundle_of(parsed(json.dumps(bundle)))
    return verify_bundle(read, trusted=trusted, remembered=[head_of(head, "head") for head in heads or []])


def problems(bundle: Json, *, heads: list[Json] | None = None) -> list[Problem]:
    """Return what is wrong with a bundle for an auditor who trusts the sealer's key."""
    return verified(bundle, trust=[Signer("the sealer").public()], heads=heads).problems


def rehashed(ledger: Ledger, run: str) -> None:
    """Make every hash of a run fit again, and seal and sign as the platform itself would have."""
    prev = "0" * 64
    for place, entry in enumerate(ledger.runs[run], start=1):
        entry |= {"seq": place, "prev_hash": prev}
        entry["hash"] = prev = entry_hash(ledger.tenant, entry)
    ledger.leaves = [leaf for leaf in ledger.leaves if leaf["run"] != run or leaf in ledger.runs[run]]
    for place, leaf in enumerate(ledger.leaves):
        leaf["leaf_index"] = place
    ledger.heads = [ledger.signer.signed(ledger.head_at(len(ledger.leaves)))]


@pytest.fixture
def ledger() -> Ledger:
    """A ledger of four runs."""
    return sample_ledger()


class TestGoodEvidence:
    @pytest.mark.parametrize("run", [None, "run_a", "run_d"])
    def test_is_verified_with_trusted_keys(self, ledger: Ledger, run: str | None) -> None:
        report = verified(ledger.bundle(run), trust=[ledger.signer.public()], heads=ledger.heads)
        assert (report.verdict, report.problems) == (Verdict.VERIFIED, [])
        assert (report.entries, report.tree_size, report.remembered) == (len(ledger.bundle(run)["entries"]), 23, 3)

    def test_is_only_self_consistent_by_its_own_keys(self, ledger: Ledger) -> None:
        assert verified(ledger.bundle()).verdict is Verdict.SELF_CONSISTENT

    def test_of_the_whole_ledger_needs_no_proofs(self, ledger: Ledger) -> None:
        bundle: Json = {**ledger.bundle(), "inclusion": [], "consistency": []}
        assert problems(bundle, heads=ledger.heads) == []

    def test_says_what_no_head_covers_yet(self, ledger: Ledger) -> None:
        assert "2 entries of 1 run" in verified(ledger.bundle()).notes[0]

    def test_of_an_open_run_says_that_later_entries_would_not_be_missed(self, ledger: Ledger) -> None:
        assert [note for note in verified(ledger.bundle("run_d")).notes if "had not ended" in note]
        assert not [note for note in verified(ledger.bundle("run_a")).notes if "had not ended" in note]

    def test_goes_over_rotated_keys(self, ledger: Ledger) -> None:
        ended_us = ledger.clock_us
        ledger.signer = Signer("the next sealer")
        ledger.seal()
        bundle = ledger.bundle()
        keys = [Signer("the sealer").public(valid_to_us=ended_us), ledger.signer.public(valid_from_us=ended_us)]
        bundle["public_keys"] = keys
        assert verified(bundle, trust=keys).verdict is Verdict.VERIFIED
        older_copy = [Signer("the sealer").public(), ledger.signer.public(valid_from_us=ended_us)]
        assert verified(bundle, trust=older_copy).verdict is Verdict.VERIFIED

    def test_of_nothing_is_self_consistent(self) -> None:
        ledger = Ledger()
        ledger.seal()
        assert verified(ledger.bundle(), trust=[ledger.signer.public()]).verdict is Verdict.VERIFIED

    def test_takes_the_same_head_signed_twice(self, ledger: Ledger) -> None:
        ledger.clock_us += 1
        ledger.heads.append(ledger.signer.signed(ledger.head_at(23)))
        assert problems(ledger.bundle("run_a"), heads=ledger.heads) == []

    def test_takes_a_fact_that_names_its_own_principal(self) -> None:
        ledger = Ledger()
        ledger.append("run_a", {**body_of("human:approval:decided", fact_seq=1), "principal": "prn_9"})
        ledger.finish("run_a")
        ledger.seal()
        assert problems(ledger.bundle()) == []


class TestWrongEntry:
    def test_is_named_with_what_was_expected_and_found(self, ledger: Ledger) -> None:
        bundle = ledger.bundle("run_a")
        entry: Json = bundle["entries"][4]
        entry["body"] = base64.b64encode(jcs({**body_in(entry), "principal": "prn_2"})).decode()
        [problem] = problems(bundle)
        assert (problem.run, problem.seq) == ("run_a", 5)
        assert (problem.expected, problem.found) == (entry_hash("acme", entry), entry["hash"])
        assert problem.lines()[0].startswith("entry 5 of run_a: its hash is not the hash of its stored bytes")

    def test_with_a_hash_of_its_own_that_fits_breaks_the_link_to_the_next(self, ledger: Ledger) -> None:
        bundle = ledger.bundle("run_d")
        entry: Json = bundle["entries"][4]
        entry["body"] = base64.b64encode(jcs({**body_in(entry), "principal": "prn_2"})).decode()
        entry["hash"] = entry_hash("acme", entry)
        [problem] = problems(bundle)
        assert (problem.seq, problem.expected) == (6, entry["hash"])
        assert problem.reason == "the previous hash that it names is not the hash of the entry before"

    def test_without_its_neighbours_is_said_to_be_missing(self, ledger: Ledger) -> None:
        bundle = ledger.bundle("run_a")
        del bundle["entries"][1:3], bundle["inclusion"][1:3]
        [problem] = problems(bundle)
        assert (problem.seq, problem.expected, problem.found) == (2, "entry 2", "entry 4")
        assert "all up to entry 3" in problem.reason

    def test_with_another_previous_hash_is_named(self, ledger: Ledger) -> None:
        bundle = ledger.bundle("run_a")
        bundle["entries"][0]["prev_hash"] = "1" * 64
        assert [(problem.seq, problem.reason[:24]) for problem in problems(bundle)] == [
            (1, "the first entry has a pr"),
            (1, "its hash is not the hash"),
        ]

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"{", "no JSON"),
            (b"\xff", "no JSON"),
            (b"[]", "no JSON object"),
            (b'{"a": 1}', "RFC 8785"),
            (b'{"a":1.0}', "RFC 8785"),
            (b'{"fact_seq":true}', "fact number"),
            (b'{"fact_seq":0}', "fact number"),
        ],
    )
    def test_with_a_body_that_is_none_is_named_though_everything_was_signed(self, body: bytes, reason: str) -> None:
        ledger = Ledger()
        ledger.effect("run_a", "gateway:run:accepted")["body"] = base64.b64encode(body).decode()
        ledger.seal()
        rehashed(ledger, "run_a")
        [problem] = problems(ledger.bundle())
        assert (problem.seq, reason in problem.reason) == (1, True)

    def test_in_a_bundle_of_another_run_is_named(self, ledger: Ledger) -> None:
        bundle: Json = {**ledger.bundle("run_a"), "run": "run_b"}
        assert [(problem.run, problem.reason) for problem in problems(bundle)] == [
            ("run_b", "the bundle is of this run and has no entry of it"),
            ("run_a", "it stands in a bundle of run run_b"),
        ]


class TestMissingTail:
    def test_is_named_by_the_entry_that_ends_the_run(self, ledger: Ledger) -> None:
        del ledger.runs["run_a"][5]
        rehashed(ledger, "run_a")
        [problem] = problems(ledger.bundle("run_a"))
        assert (problem.seq, problem.reason, problem.found) == (6, "fact 3 of the run is missing", "fact 4")

    @pytest.mark.parametrize(
        ("field", "value", "said"), [("facts", 5, "number of facts"), ("last_digest", "e" * 64, "another fact before it")]
    )
    def test_is_named_when_the_commitment_is_to_something_else(self, ledger: Ledger, field: str, value: object, said: str) -> None:
        last = ledger.runs["run_a"][-1]
        body = body_in(last)
        last["body"] = base64.b64encode(jcs({**body, "data": {**body["data"], field: value}})).decode()
        rehashed(ledger, "run_a")
        [problem] = problems(ledger.bundle("run_a"))
        assert (problem.seq, said in problem.reason) == (7, True)

    def test_of_the_whole_ledger_is_named_by_leaf_and_by_the_entry_before(self, ledger: Ledger) -> None:
        bundle = ledger.bundle()
        gone = bundle["entries"].pop(6)
        bundle["inclusion"] = [proof for proof in bundle["inclusion"] if proof["leaf_index"] != gone["leaf_index"]]
        [problem] = problems(bundle)
        assert (problem.leaf_index, problem.found) == (gone["leaf_index"], "they follow entry 6 of run_a")

    def test_of_an_open_run_alone_cannot_be_seen(self, ledger: Ledger) -> None:
        """The documented limit: only the whole ledger, or the end of the run, says how many entries there are."""
        bundle = ledger.bundle("run_d")
        del bundle["entries"][3:], bundle["inclusion"][3:]
        assert problems(bundle) == []


class TestLog:
    def test_with_an_entry_that_was_never_sealed_though_old_is_refused(self, ledger: Ledger) -> None:
        ledger.clock_us += 3_600_000_000
        ledger.heads.append(ledger.signer.signed(ledger.head_at(23)))
        assert [(problem.seq, "not sealed" in problem.reason) for problem in problems(ledger.bundle("run_d"))] == [(5, True), (6, True)]

    def test_with_a_sealed_entry_after_one_that_is_not_is_refused(self, ledger: Ledger) -> None:
        bundle = ledger.bundle("run_a")
        bundle["entries"][2]["leaf_index"] = None
        del bundle["inclusion"][2]
        assert [(problem.seq, problem.reason) for problem in problems(bundle)] == [(4, "it is sealed, and entry 3 before it is not")]

    def test_with_one_leaf_for_two_entries_is_refused(self, ledger: Ledger) -> None:
        bundle = ledger.bundle()
        entries = [entry for entry in bundle["entries"] if entry["run"] == "run_b"]
        entries[1]["leaf_index"] = 1
        assert problems(bundle)[0].reason == "its leaf 1 stands before that of entry 1"
        bundle["entries"][1]["leaf_index"] = entries[0]["leaf_index"]
        assert ("run_b", 1) in [
            (problem.run, problem.seq) for problem in problems(bundle) if "is that of entry 2 of run_a too" in problem.reason
        ]

    def test_without_a_proof_of_inclusion_is_refused_in_a_bundle_of_one_run(self, ledger: Ledger) -> None:
        bundle = ledger.bundle("run_a")
        del bundle["inclusion"][3]
        assert [(problem.seq, "no proof of inclusion" in problem.reason) for problem in problems(bundle)] == [(4, True)]

    def test_that_forked_is_refused(self, ledger: Ledger) -> None:
        forked = ledger.signer.signed({**ledger.heads[1], "root_hash": "5" * 64})
        bundle = ledger.bundle()
        bundle["tree_heads"].append(forked)
        found = problems(bundle)
        assert (found[0].tree_size, "forked" in found[0].reason) == (ledger.heads[1]["tree_size"], True)

    def test_rewritten_with_the_right_key_is_caught_by_a_remembered_head(self, ledger: Ledger) -> None:
        remembered = list(ledger.heads)
        entry = ledger.runs["run_b"][3]
        entry["body"] = base64.b64encode(jcs({**body_in(entry), "principal": "prn_2"})).decode()
        rehashed(ledger, "run_b")
        for run in (None, "run_b"):
            bundle = ledger.bundle(run)
            assert problems(bundle) == []
            found = problems(bundle, heads=remembered)
            assert {problem.tree_size for problem in found} <= {6, 16, 23}
            assert any("rewritten" in problem.reason for problem in found)

    def test_shorter_than_remembered_is_refused(self, ledger: Ledger) -> None:
        bundle = ledger.bundle("run_a")
        longer = ledger.signer.signed({**ledger.heads[-1], "tree_size": 40})
        [problem] = problems(bundle, heads=[longer])
        assert (problem.tree_size, problem.found) == (40, "23 leaves")

    def test_that_does_not_prove_its_growth_from_the_remembered_head_is_refused(self, ledger: Ledger) -> None:
        between = ledger.signer.signed(ledger.head_at(20))
        [problem] = problems(ledger.bundle("run_a"), heads=[between])
        assert (problem.tree_size, problem.found) == (20, "none")
        assert problems(ledger.bundle(), heads=[between]) == []

    def test_says_which_older_remembered_heads_it_could_not_compare(self, ledger: Ledger) -> None:
        older = ledger.signer.signed(ledger.head_at(9))
        report = verified(ledger.bundle("run_a"), trust=[ledger.signer.public()], heads=[older, *ledger.heads])
        assert (report.problems, "1 older remembered head was not compared" in report.notes[0]) == ([], True)


class TestKeys:
    def test_that_are_not_trusted_are_refused(self, ledger: Ledger) -> None:
        report = verified(ledger.bundle(), trust=[THIEF.public()])
        assert report.problems[0].lines() == [f"public key {ledger.signer.key_id}: it is not among the trusted keys"]

    def test_that_sign_outside_of_their_time_are_refused(self, ledger: Ledger) -> None:
        key = ledger.signer.public(valid_to_us=START_US)
        bundle: Json = {**ledger.bundle(), "public_keys": [key]}
        assert all("was not valid" in problem.reason for problem in verified(bundle, trust=[key]).problems)
        assert len(verified(bundle).problems) == 3

    def test_whose_time_was_widened_are_refused(self, ledger: Ledger) -> None:
        trusted = ledger.signer.public(valid_to_us=START_US + 10**9)
        assert "time of validity" in verified(ledger.bundle(), trust=[trusted]).problems[0].reason

    def test_that_stand_twice_are_refused(self, ledger: Ledger) -> None:
        bundle: Json = {**ledger.bundle(), "public_keys": [ledger.signer.public()] * 2}
        assert "twice" in problems(bundle)[0].reason

    def test_without_any_head_prove_nothing(self, ledger: Ledger) -> None:
        ledger.heads = []
        bundle: Json = {**ledger.bundle(), "tree_heads": []}
        for entry in bundle["entries"]:
            entry["leaf_index"] = None
        assert "no signed tree head" in problems(bundle)[0].reason
        assert verified(bundle).verdict is Verdict.SELF_CONSISTENT


class TestUnreadableEvidence:
    @pytest.mark.parametrize(
        ("path", "value", "said"),
        [
            (["format"], "other", "format: expected 'standfast-evidence', found 'other'"),
            (["v"], 2, "v: expected 1, found 2"),
            (["v"], True, "v: expected 1, found True"),
            (["entries"], {}, "entries: expected a list"),
            (["entries", 1], 7, "entries[1]: expected an object with body, hash"),
            (["entries", 1, "seq"], 0, "entries[1].seq: expected a whole number from 1"),
            (["entries", 1, "seq"], 1.0, "entries[1].seq: expected a whole number from 1 to 2^53-1, found 1.0"),
            (["entries", 1, "seq"], True, "entries[1].seq"),
            (["entries", 1, "recorded_at_us"], 2**53, "entries[1].recorded_at_us"),
            (["entries", 1, "run"], "a\nb", "entries[1].run: expected printable text"),
            (["entries", 1, "run"], "\ud800", "entries[1].run"),
            (["entries", 1, "hash"], "A" * 64, "entries[1].hash: expected 64 lower-case hex digits"),
            (["entries", 1, "body"], "e30", "entries[1].body: expected base64"),
            (["entries", 1, "body"], "e31=", "entries[1].body: expected base64"),
            (["entries", 1, "body"], "e3 0=", "entries[1].body: expected base64"),
            (["entries", 1, "more"], 1, "entries[1]: has the unknown more"),
            (["tree_heads", 0, "signature"], "e30=", "tree_heads[0].signature: expected 64 bytes in base64"),
            (["public_keys", 0, "algorithm"], "RSA", "public_keys[0].algorithm: expected 'Ed25519'"),
            (["inclusion", 0, "path"], "x", "inclusion[0].path: expected a list"),
            (["consistency", 0, "path", 0], "x", "consistency[0].path: expected 64 lower-case hex digits"),
        ],
    )
    def test_says_which_value_is_wrong(self, ledger: Ledger, path: list[str | int], value: object, said: str) -> None:
        bundle = ledger.bundle()
        target = bundle
        for step in path[:-1]:
            target = target[step]  # type: ignore[index]
        target[path[-1]] = value  # type: ignore[index]
        with pytest.raises(BadInput) as caught:
            verified(bundle)
        assert said in str(caught.value)

    def test_says_which_key_is_missing(self, ledger: Ledger) -> None:
        bundle = ledger.bundle()
        del bundle["entries"][0]["hash"]
        with pytest.raises(BadInput, match=r"entries\[0\]: lacks hash"):
            verified(bundle)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"a": 1,\n "b" 2}', "line 2, column 6, character 15"),
            ('{"a": 1, "a": 1}', "'a' stands twice"),
            ("[" * 200_000, "nested too deep"),
            ("1" * 5_000, "no JSON of this kind"),
        ],
    )
    def test_says_where_it_is_no_json(self, text: str, said: str) -> None:
        with pytest.raises(BadInput) as caught:
            parsed(text)
        assert said in str(caught.value)

    def test_refuses_remembered_heads_of_other_tenants_only(self, ledger: Ledger) -> None:
        other = {**ledger.heads[0], "tenant": "other", "root_hash": "1" * 64}
        with pytest.raises(BadInput, match="such as other"):
            verified(ledger.bundle(), heads=[other])
        assert verified(ledger.bundle(), heads=[other, ledger.heads[0]]).remembered == 1
