"""Sizes, names and docstrings; the hard limits only. `python -m tests.architecture.report` prints the medians."""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, modules_of, shown, tree_of

VAGUE = {"utils", "util", "helpers", "common", "misc", "shared", "base", "manager"}
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
MOCKS = ("unittest.mock", "mock.patch", "pytest_mock", "monkeypatch.setattr", "MagicMock", "mocker")


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines a reader must hold in mind: the docstring is left out."""
    first, last = function.body[0], function.end_lineno or 0
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
    return last - function.lineno + 1 - docstring


def is_empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function does nothing beyond its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return all(isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


DELIBERATELY_EMPTY = {"aclose", "close", "log_message"}
"""Nothing to close is an answer; silence is what `log_message` of the standard library is overridden for."""


def empty_functions(tree: ast.Module) -> list[str]:
    """Return the empty functions outside of Protocols, overloads and abstract methods."""
    ports = {id(child) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and _is_protocol(node) for child in node.body}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    exempt = {id(node) for node in functions if node.decorator_list or node.name in DELIBERATELY_EMPTY}
    return [node.name for node in functions if id(node) not in ports | exempt and is_empty(node)]


def _is_protocol(node: ast.ClassDef) -> bool:
    """Tell whether a class is a Protocol, generic or not."""
    return any("Protocol" in ast.unparse(parent) for parent in node.bases)


@pytest.mark.parametrize("module", MODULES, ids=shown)
class TestModule:
    def test_is_named_after_what_it_holds(self, module: Path) -> None:
        assert module.stem not in VAGUE

    def test_is_short(self, module: Path) -> None:
        assert len(module.read_text(encoding="utf-8").splitlines()) <= FILE_LINES_MAX

    def test_says_what_it_is_for(self, module: Path) -> None:
        assert ast.get_docstring(tree_of(module))

    def test_has_short_functions(self, module: Path) -> None:
        functions = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert {node.name: body_lines(node) for node in functions if body_lines(node) > FUNCTION_LINES_MAX} == {}

    def test_is_no_stub(self, module: Path) -> None:
        raised = [ast.unparse(node) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Raise) and node.exc is not None]
        assert [text for text in raised if "NotImplementedError" in text] == []


@pytest.mark.parametrize("module", [path for path in MODULES if "tests" not in path.parts], ids=shown)
def test_product_functions_do_something(module: Path) -> None:
    assert empty_functions(tree_of(module)) == []


@pytest.mark.parametrize("module", [path for path in modules_of("tests") if path != Path(__file__)], ids=shown)
def test_tests_use_no_mocks(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    assert [word for word in MOCKS if word in source] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in modules_of("tests")}), ids=shown)
def test_each_folder_of_tests_is_a_package(folder: Path) -> None:
    assert (folder / "__init__.py").exists(), "without it the folder may become another package of that name"
