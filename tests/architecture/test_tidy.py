"""Sizes, names and docstrings; the hard limits only. `python -m tests.architecture.report` prints the medians."""

import ast
from collections.abc import Sequence
from pathlib import Path

from tests.architecture.sources import MODULES, modules_of, nodes_of, shown, tree_of

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


def empty_functions(nodes: Sequence[ast.AST]) -> list[str]:
    """Return the empty functions outside of Protocols, overloads and abstract methods."""
    ports = {id(child) for node in nodes if isinstance(node, ast.ClassDef) and _is_protocol(node) for child in node.body}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    exempt = {id(node) for node in functions if node.decorator_list or node.name in DELIBERATELY_EMPTY}
    return [node.name for node in functions if id(node) not in ports | exempt and is_empty(node)]


def _is_protocol(node: ast.ClassDef) -> bool:
    """Tell whether a class is a Protocol, generic or not."""
    return any("Protocol" in ast.unparse(parent) for parent in node.bases)


def functions_of(module: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return a module's functions, inner ones too."""
    return [node for node in nodes_of(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def stubs_of(module: Path) -> list[str]:
    """Return what a module raises instead of doing something, as it is written."""
    if "NotImplementedError" not in module.read_text(encoding="utf-8"):
        return []
    raised = [ast.unparse(node) for node in nodes_of(module) if isinstance(node, ast.Raise) and node.exc is not None]
    return [text for text in raised if "NotImplementedError" in text]


class TestModules:
    """Each of them: a test that fails names all that break its rule."""

    def test_are_named_after_what_they_hold(self) -> None:
        assert {shown(module) for module in MODULES if module.stem in VAGUE} == set()

    def test_are_short(self) -> None:
        lines = {shown(module): len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES}
        assert {module: count for module, count in lines.items() if count > FILE_LINES_MAX} == {}

    def test_say_what_they_are_for(self) -> None:
        assert {shown(module) for module in MODULES if not ast.get_docstring(tree_of(module))} == set()

    def test_have_short_functions(self) -> None:
        lines = {f"{shown(module)}: {node.name}": body_lines(node) for module in MODULES for node in functions_of(module)}
        assert {function: count for function, count in lines.items() if count > FUNCTION_LINES_MAX} == {}

    def test_are_no_stubs(self) -> None:
        assert {shown(module): stubs for module in MODULES if (stubs := stubs_of(module))} == {}

    def test_of_the_product_have_functions_that_do_something(self) -> None:
        product = [module for module in MODULES if "tests" not in module.parts]
        assert len(product) > 100
        assert {shown(module): empty for module in product if (empty := empty_functions(nodes_of(module)))} == {}

    def test_of_tests_use_no_mocks(self) -> None:
        sources = {shown(path): path.read_text(encoding="utf-8") for path in modules_of("tests") if path != Path(__file__)}
        assert len(sources) > 100
        assert {module: word for module, source in sources.items() for word in MOCKS if word in source} == {}


def test_each_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in modules_of("tests")}
    bare = [shown(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()]
    assert bare == [], "without it the folder may become another package of that name"
