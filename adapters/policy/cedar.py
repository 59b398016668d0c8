"""The policy engine on Cedar. Imports the vendor's library, which takes a quarter of a second: see `late_engine.py`."""

import json
import re
from functools import cached_property, lru_cache
from typing import Final, cast

import cedarpy

from adapters.policy.requests import Question, reads_arguments
from adapters.policy.shipped import schema_text
from domain.errors import InvalidInput
from domain.policy import PolicyRequest, Ruling, Rulings

ANNOTATIONS: Final = {"id", "description", "untrusted", "reviewers"}
NESTING_MAX: Final = 60
"""Deepest brackets in a set: the parser recurses, and text that exhausts its stack would end the process."""
OPERATORS_MAX: Final = 400
"""Most operators of one policy, for the same reason: a chain of a thousand is read, one of fifty thousand ends the process (measured)."""
_TEXT_OR_COMMENT: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*')
_OPERATOR: Final = re.compile(r"[-+*!.<>]|&&|\|\||==|\b(?:if|has|like|in|is)\b")
KEPT_SETS: Final = 64
"""How many parsed sets stay in memory."""
KEPT_RULINGS: Final = 4096
QUESTION_CHARS_MAX: Final = 4096
"""How many rulings stay in memory, and how long the question may be that one is kept by."""


class CedarEngine:
    """A `PolicyEngine`; parsed sets are kept, since parsing is most of what a decision costs, and up to `kept` rulings."""

    def __init__(self, *, kept: int = KEPT_RULINGS) -> None:
        self._kept = kept
        self._rulings: dict[tuple[str, str], Rulings] = {}

    def check(self, policies: str) -> list[str]:
        """Return what is wrong with a set's text: syntax, unknown names, missing or repeated ids, annotations nobody reads."""
        try:
            parsed = _parsed(policies)
        except InvalidInput as error:
            return [error.detail]
        answer = cedarpy.validate_policies(policies, parsed.schema)  # pyright: ignore[reportUnknownMemberType] - the library leaves a dict's types open
        return [*parsed.problems(), *(_named(error.error, parsed.ids) for error in answer.errors)]

    def rule(self, policies: str, request: PolicyRequest) -> Rulings:
        """Return what the policies say of a request, now and once a person has approved it.

        Raises:
            InvalidInput: the text is no policy set, or the request is none that the schema knows.
        """
        parsed, question = _parsed(policies), Question.about(request, policies)
        try:
            answers = cedarpy.is_authorized_batch(question.requests, parsed.policies, json.dumps(question.entities), parsed.schema)  # pyright: ignore[reportUnknownMemberType] - as above
        except (ValueError, KeyError) as error:
            raise InvalidInput(f"the call cannot be put to the policies: {error}") from error
        each = [parsed.ruling(answer) for answer in answers]
        rulings = Rulings(now=each[0], approved=each[-1])
        if not reads_arguments(policies):
            self._keep(policies, question.text(), rulings)
        return rulings

    def recall(self, policies: str, request: PolicyRequest) -> Rulings | None:
        """Return what the same policies said of the same question before: the engine has no other input, so they would say it again.

        Of policies that read arguments nothing is kept: few calls have the same ones.
        """
        return None if reads_arguments(policies) else self._rulings.get((policies, Question.about(request, policies).text()))

    def _keep(self, policies: str, question: str, rulings: Rulings) -> None:
        if len(question) > QUESTION_CHARS_MAX:
            return
        if len(self._rulings) >= self._kept:
            self._rulings.clear()
        self._rulings[policies, question] = rulings


class _Parsed:
    """A set, parsed once, with the annotations of its policies by Cedar's own names for them."""

    def __init__(self, text: str) -> None:
        _check_size(text)
        try:
            self.policies = cedarpy.PolicySet.from_str(text)
            told = json.loads(cedarpy.policies_to_json_str(text))
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"these are no Cedar policies: {error}") from error
        self._static = cast("dict[str, dict[str, object]]", told["staticPolicies"])
        self._templates = cast("dict[str, object]", told["templates"])

    @cached_property
    def schema(self) -> cedarpy.Schema:
        return _schema()

    @cached_property
    def ids(self) -> dict[str, str]:
        """The name that a policy gives itself, by Cedar's own."""
        return {name: self._notes(name).get("id", name) for name in self._static}

    def problems(self) -> list[str]:
        found = [f"policy {name} is a template, which nothing links: write the principal and resource" for name in self._templates]
        for name in self._static:
            notes = self._notes(name)
            if "id" not in notes:
                found.append(f'{name} (counted from 0) has no name: write @id("…") before it')
            found += [f"policy {self.ids[name]}: nobody reads @{note}" for note in sorted(notes.keys() - ANNOTATIONS)]
            if self._static[name]["effect"] == "forbid" and notes.keys() & {"untrusted", "reviewers"}:
                found.append(f"policy {self.ids[name]} forbids, so @untrusted and @reviewers say nothing")
        names = list(self.ids.values())
        return found + [f"two policies are called {name}" for name in sorted({name for name in names if names.count(name) > 1})]

    def ruling(self, answer: cedarpy.AuthzResult) -> Ruling:
        deciding = sorted(answer.diagnostics.reasons, key=list(self._static).index)
        listed = {
            note: [part for name in deciding for part in _listed(self._notes(name).get(note, ""))] for note in ("untrusted", "reviewers")
        }
        return Ruling(
            permitted=answer.allowed,
            policies=tuple(self.ids[name] for name in deciding),
            untrusted=tuple(dict.fromkeys(listed["untrusted"])) if answer.allowed else (),
            reviewers=tuple(dict.fromkeys(listed["reviewers"])) if answer.allowed else (),
            errors=tuple(_named(str(error), self.ids) for error in answer.diagnostics.errors),
        )

    def _notes(self, name: str) -> dict[str, str]:
        return cast("dict[str, str]", self._static[name].get("annotations") or {})


@lru_cache(maxsize=KEPT_SETS)
def _parsed(text: str) -> _Parsed:
    return _Parsed(text)


@lru_cache(maxsize=1)
def _schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(schema_text())


def _check_size(text: str) -> None:
    """Refuse text that could exhaust the parser's stack.

    Raises:
        InvalidInput: its brackets lie too deep, or a policy has too many operators.
    """
    depth = deepest = 0
    code = _TEXT_OR_COMMENT.sub("", text)
    for sign in code:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    if deepest > NESTING_MAX:
        raise InvalidInput(f"these policies nest {deepest} brackets; at most {NESTING_MAX} are read")
    longest = max(len(_OPERATOR.findall(policy)) for policy in code.split(";"))
    if longest > OPERATORS_MAX:
        raise InvalidInput(f"a policy here has {longest} operators; at most {OPERATORS_MAX} are read: write several policies")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _named(problem: str, ids: dict[str, str]) -> str:
    """A complaint with the names that the policies give themselves; the longest of Cedar's own first, since policy1 begins policy10."""
    for name in sorted(ids, key=len, reverse=True):
        problem = problem.replace(f"`{name}`", f"`{ids[name]}`")
    return problem
