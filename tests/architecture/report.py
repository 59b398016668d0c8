"""Prints the medians that the style guide watches and no test enforces: `python -m tests.architecture.report`."""

import ast
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.architecture.sources import MODULES, tree_of
from tests.architecture.test_tidy import body_lines


def figures(name: str, numbers: Sequence[int], *, median_max: int, p90_max: int) -> str:
    """Return one line: median, p90 and maximum beside what is aimed at."""
    p90 = statistics.quantiles(numbers, n=10)[8]
    median = statistics.median(numbers)
    return f"{name}: median {median:.0f} (≤{median_max}), p90 {p90:.0f} (≤{p90_max}), max {max(numbers)}, count {len(numbers)}"


def code_lines(path: Path) -> int:
    """Count the lines that are neither blank nor comment."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


def main() -> None:
    """Print the report."""
    functions = [node for path in MODULES for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES if path.name != "__init__.py"]
    tests = sum(code_lines(path) for path in MODULES if "tests" in path.parts)
    product = sum(code_lines(path) for path in MODULES if "tests" not in path.parts)
    sys.stdout.write(figures("file lines", lines, median_max=150, p90_max=300) + "\n")
    sys.stdout.write(figures("function lines", [body_lines(node) for node in functions], median_max=8, p90_max=30) + "\n")
    sys.stdout.write(f"test:code {tests / product:.2f} (1.0 to 1.6), {tests} and {product} lines\n")


if __name__ == "__main__":
    main()
