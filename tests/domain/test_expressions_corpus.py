"""The golden corpus is byte-equal under several processes and hash seeds (JOURNAL §10)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.domain.expression_corpus import corpus_bytes

GOLDEN = Path(__file__).with_name("expression_corpus.jsonl")
ROOT = Path(__file__).parents[2]


class TestCorpus:
    def test_gives_the_golden_bytes_in_this_process(self) -> None:
        assert corpus_bytes() == GOLDEN.read_bytes()

    @pytest.mark.parametrize("seed", ["0", "1", "4242"])
    def test_gives_the_golden_bytes_in_another_process(self, seed: str) -> None:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.domain.expression_corpus"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, timeout=60)
        assert done.stdout == GOLDEN.read_bytes()
