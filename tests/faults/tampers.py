"""Random tampers against the stand-alone verifier: `python -m tests.faults.tampers --count 10000 --seed 7`.

Each changes good evidence in one way, and must be found and located: the first problem, or the message about an unreadable file, has to
name the place. Evidence and tampers come from `tests/clients/verify`, which shares no code with the verifier. Exit code 1 unless all are.
"""

import argparse
import json
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from standfast_verify import BadInput, PublicKey, Report, TreeHead, bundle_of, verify_bundle
from standfast_verify.bundle import head_of, key_of
from standfast_verify.reading import parsed
from tests.clients.verify.tampers import TAMPERS, WEIGHTS, Evidence, Place, Tampered, written

CHARACTERS_OFF_MAX = 66
"""A changed quotation mark is seen by a JSON reader only at the next one, or at the text's first: 64 characters and both marks."""


@dataclass
class Tally:
    """What happened to all tampers: how many of each kind, and which of them were missed or named at another place."""

    seed: int
    tried: Counter[str] = field(default_factory=Counter[str])
    missed: list[str] = field(default_factory=list[str])
    misplaced: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """Return the report."""
        lines = [f"seed {self.seed}: {self.tried.total()} tampers in {self.seconds:.1f} s"]
        lines += [f"  {count:6} {kind}" for kind, count in sorted(self.tried.items())]
        found = self.tried.total() - len(self.missed)
        lines.append(f"found {found} of {self.tried.total()}, located {found - len(self.misplaced)}")
        return lines + [f"MISSED {one}" for one in self.missed[:20]] + [f"MISPLACED {one}" for one in self.misplaced[:20]]


class Auditor:
    """Has the right keys and remembered heads, and reads files."""

    def __init__(self, evidence: Evidence) -> None:
        self._trusted: dict[str, PublicKey] | None = {key["key_id"]: key_of(key, "key") for key in evidence.trusted_keys()}
        self._remembered: list[TreeHead] = [head_of(head, "head") for head in evidence.remembered()]

    def read(self, file: bytes, *, remember: bool = True) -> Report:
        """Check a file.

        Raises:
            BadInput: it cannot be read.
        """
        try:
            text = file.decode()
        except UnicodeDecodeError as error:
            raise BadInput(f"byte {error.start} is no UTF-8 text") from error
        return verify_bundle(bundle_of(parsed(text)), trusted=self._trusted, remembered=self._remembered if remember else ())

    def places(self, tampered: Tampered) -> set[Place] | str | None:
        """Return the place of the first problem, the message about an unreadable file, or None when nothing is found."""
        try:
            report = self.read(tampered.file, remember=tampered.remember)
        except BadInput as error:
            return str(error)
        return {_place(problem) for problem in report.problems[:1]} or None


def _place(problem: object) -> Place:
    said = vars(problem)
    if said["seq"] is not None:
        return ("entry", said["run"], said["seq"])
    if said["leaf_index"] is not None:
        return ("leaf", "", said["leaf_index"])
    if said["tree_size"] is not None:
        return ("head", "", said["tree_size"])
    return ("key", said["key_id"], 0) if said["key_id"] is not None else ("bundle", "", 0)


def is_located(answer: set[Place] | str, wanted: frozenset[Place]) -> bool:
    """Whether an answer names one of the wanted places."""
    if not isinstance(answer, str):
        return bool(answer & wanted) or ("any", "", 0) in wanted
    numbers = {name: int(number) for name, number in re.findall(r"(character|byte) (\d+)", answer)}
    for kind, part, number in wanted:
        if kind == "file" and number == 0 and str(part) in answer:
            return True
        if kind == "file" and number and abs(numbers.get(str(part), -1000) - number) <= CHARACTERS_OFF_MAX:
            return True
    return False


def run_tampers(count: int, seed: int, *, auditor: Callable[[Evidence], Auditor] = Auditor) -> Tally:
    """Try `count` random tampers on an auditor; the same seed gives the same ones.

    Raises:
        AssertionError: untouched evidence is found wrong.
    """
    rng = Random(seed)
    evidence = Evidence(rng)
    reader = auditor(evidence)
    for run in evidence.runs():
        good = reader.read(written(evidence.bundle_of(run)))
        if good.problems:
            raise AssertionError(f"a false alarm: {good.problems}")
    tally = Tally(seed)
    started = time.monotonic()
    for number in range(count):
        kind = rng.choices(list(TAMPERS), WEIGHTS)[0]
        tampered = TAMPERS[kind](evidence)
        tally.tried[kind] += 1
        answer = reader.places(tampered)
        if answer is None:
            tally.missed.append(f"{number}: {kind} at {sorted(map(str, tampered.places))}")
        elif not is_located(answer, tampered.places):
            tally.misplaced.append(f"{number}: {kind} at {sorted(map(str, tampered.places))}, and the verifier said {answer}")
    tally.seconds = time.monotonic() - started
    return tally


def main() -> int:
    """Run and print; the exit code is 0 when every tamper was found and located."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.tampers", description="Tampers with evidence at random.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None, help="a new one, which is printed, when left out")
    parser.add_argument("--json", action="store_true", help="write the figures as JSON")
    chosen = parser.parse_args()
    tally = run_tampers(chosen.count, secrets.randbelow(2**31) if chosen.seed is None else chosen.seed)
    sys.stdout.write(json.dumps(vars(tally)) + "\n" if chosen.json else "\n".join(tally.lines()) + "\n")
    return 1 if tally.missed or tally.misplaced else 0


if __name__ == "__main__":
    sys.exit(main())
