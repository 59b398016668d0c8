"""Random tampers with evidence are all found and located; `python -m tests.faults.tampers` runs ten thousand."""

import sys

import pytest

from tests.clients.verify.tampers import TAMPERS, Evidence
from tests.faults.tampers import Auditor, run_tampers

SEED = 20_260_922


class TestRandomTampers:
    def test_are_all_found_and_located(self, capsys: pytest.CaptureFixture[str]) -> None:
        tally = run_tampers(500, SEED)
        with capsys.disabled():
            sys.stdout.write("\n" + "\n".join(tally.lines()) + "\n")
        assert (tally.missed, tally.misplaced) == ([], [])
        assert tally.tried.keys() == TAMPERS.keys()

    def test_of_one_seed_are_the_same_again(self) -> None:
        assert run_tampers(30, 3).tried == run_tampers(30, 3).tried


class _WithoutMemory(Auditor):
    """Keeps no head from earlier."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._remembered = []


class _WithoutKeys(Auditor):
    """Believes the keys in the bundle."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._trusted = None


class TestCarelessAuditor:
    """The harness sees what a weaker check lets through."""

    def test_without_remembered_heads_misses_cuts_and_a_run_rewritten_with_the_right_key(self) -> None:
        missed = {one.split(": ")[1].split(" at ")[0] for one in run_tampers(500, SEED, auditor=_WithoutMemory).missed}
        assert missed == {"cut after a head", "run rewritten"}

    def test_without_trusted_keys_misses_a_swapped_key(self) -> None:
        missed = {one.split(": ")[1].split(" at ")[0] for one in run_tampers(500, SEED, auditor=_WithoutKeys).missed}
        assert "key swapped" in missed
