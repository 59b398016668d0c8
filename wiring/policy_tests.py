"""Policy tests as files: YAML that names the policies and lists calls with the verdicts they must get. Offline."""

from pathlib import Path
from typing import Any, cast

from pydantic import Field, ValidationError

from adapters.definitions.documents import Unreadable, read_yaml
from domain.errors import InvalidInput
from domain.model import Value
from domain.policy_sets import PolicyCase, PolicyCaseResult, PolicySetDraft, judged, resolved, shipped_set
from domain.policy_verdicts import decide
from wiring.policies import build_engine, shipped_sets


class PolicyTestFile(Value):
    """A file of tests. `policies` is a Cedar file beside it; without one the shipped set is tested, or what `extends` names of it."""

    policies: str | None = None
    extends: str | None = None
    tests: tuple[PolicyCase, ...] = Field(min_length=1)


def read_test_file(path: Path) -> PolicyTestFile:
    """Return what a file of tests says.

    Raises:
        InvalidInput: it cannot be read, or is no file of tests; the text says where.
    """
    try:
        value = read_yaml(path.name, path.read_text(encoding="utf-8")).value
        return PolicyTestFile.model_validate(value)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error
    except Unreadable as error:
        raise InvalidInput("; ".join(str(problem) for problem in error.problems)) from error
    except ValidationError as error:
        first = cast("dict[str, Any]", error.errors()[0])  # Any: pydantic's own details
        raise InvalidInput(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def run_tests(path: Path) -> list[PolicyCaseResult]:
    """Play a file's tests against its policies.

    Raises:
        InvalidInput: the file, or the policies it names, cannot be read or are wrong.
    """
    asked, engine, shipped = read_test_file(path), build_engine(), shipped_sets()
    if asked.policies is None and asked.extends is None:
        policies = shipped_set(shipped)
    else:
        policies = resolved(PolicySetDraft(version="0.0.0", cedar=_text(path, asked.policies), extends=asked.extends), shipped)
    wrong = engine.check(policies.text)
    if wrong:
        raise InvalidInput(f"{asked.policies or 'the policies'}: {wrong[0]}")
    return [judged(case, decide(policies, case.call.request("test"), engine)) for case in asked.tests]


def _text(path: Path, name: str | None) -> str:
    if name is None:
        return ""
    try:
        return (path.parent / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: the policies {name} cannot be read: {error}") from error
