"""`saga:` as a list and as a mapping, and every combination that cannot be, with its line and column."""

import pytest

from adapters.definitions.documents import read_yaml
from domain.definition_parse import parse_definition
from domain.program import CallStep, SagaStep
from tests.adapters.definitions.bundles import HEAD, messages_of

PIVOT = "{call: bank.pay, with: {amount: 1}, pivot: true}"
AFTER = "{call: mail.send, retriable: true}"
UNDO = "compensate: {call: mail.send}"


def saga_of(do: str) -> SagaStep:
    """Parse a definition whose first step is a saga."""
    document = read_yaml("refund.yaml", HEAD + do).value
    assert isinstance(document, dict)
    parsed = parse_definition(document)
    assert not parsed.mistakes, parsed.mistakes
    [step] = parsed.steps
    assert isinstance(step, SagaStep)
    return step


class TestForm:
    def test_as_a_list_runs_in_sequence(self) -> None:
        step = saga_of("- s: {saga: [{a: {call: mail.send}}], timeout: 1h}\n")
        assert (step.mode, step.timeout_s, [inner.path for inner in step.steps]) == ("sequential", 3600, ["s.a"])

    def test_as_a_mapping_says_how_it_runs(self) -> None:
        step = saga_of("- s: {saga: {mode: parallel, timeout: 1h, on_failure: cancel, undo: parallel, steps: [{a: {call: mail.send}}]}}\n")
        assert (step.mode, step.timeout_s, step.on_failure, step.undo) == ("parallel", 3600, "cancel", "parallel")

    def test_takes_a_retry_for_its_compensations(self) -> None:
        step = saga_of("- s: {saga: [{a: {call: mail.send, compensate: {call: mail.send, retry: {max_attempts: 2, delay: 3s}}}}]}\n")
        [call] = step.steps
        assert isinstance(call, CallStep)
        assert call.compensate is not None
        assert call.compensate.retry is not None
        assert (call.compensate.retry.max_attempts, call.compensate.retry.delay_s) == (2, 3)

    def test_marks_everything_after_the_pivot(self) -> None:
        step = saga_of(f"- s: {{saga: [{{a: {{call: mail.send}}}}, {{p: {PIVOT}}}, {{d: {{do: [{{n: {AFTER}}}]}}}}]}}\n")
        assert [inner.forward for inner in step.steps] == [False, False, True]
        inner = step.steps[2]
        assert inner.kind == "do"
        assert [each.forward for each in inner.steps] == [True]
        assert messages_of(f"- s: {{saga: [{{a: {{call: mail.send}}}}, {{p: {PIVOT}}}, {{d: {{do: [{{n: {AFTER}}}]}}}}]}}\n") == []


IMPOSSIBLE = {
    "two pivots": ([f"p: {PIVOT}", f"q: {PIVOT}"], "a saga has one pivot"),
    "a compensation on the pivot": ([f"p: {{call: mail.send, pivot: true, {UNDO}}}"], "a pivot is never undone"),
    "a condition on the pivot": (["p: {call: mail.send, pivot: true, if: '${ input.amount > 1 }'}"], "a pivot is never left out"),
    "a compensation after the pivot": ([f"p: {PIVOT}", f"n: {{call: mail.send, retriable: true, {UNDO}}}"], "is never undone"),
    "a step that may fail after the pivot": ([f"p: {PIVOT}", "n: {call: mail.send}"], "may be tried until it is done"),
    "a timeout after the pivot": ([f"p: {PIVOT}", "n: {call: mail.send, retriable: true, timeout: 5s}"], "has no `timeout`"),
    "an approval after the pivot": (
        [f"p: {PIVOT}", "n: {approve: {title: x, reviewers: {role: r}}}"],
        "`approve` cannot stand after the pivot",
    ),
    "a retriable step before the pivot": ([f"n: {AFTER}", f"p: {PIVOT}"], "belongs to a step after its saga's pivot"),
    "a pivot inside a step": ([f"d: {{do: [{{p: {PIVOT}}}]}}"], "stands directly in the list of its saga"),
    "a pivot in a nested saga": ([f"t: {{saga: [{{p: {PIVOT}}}]}}"], "cannot stand inside `s`"),
}


class TestImpossible:
    @pytest.mark.parametrize("what", IMPOSSIBLE)
    def test_combination_is_refused_where_it_stands(self, what: str) -> None:
        lines, message = IMPOSSIBLE[what]
        found = messages_of("- s:\n    saga:\n" + "".join(f"      - {line}\n" for line in lines))
        assert any(message in each for each in found), found
        assert found[0].startswith(f"{2 + len(lines)}:" if what != "a retriable step before the pivot" else "3:"), found

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            ("mode: parallel, steps: [{p: {call: mail.send, pivot: true}}]", "a pivot parts the steps"),
            ("on_failure: cancel, steps: [{p: {call: mail.send}}]", "`on_failure` is about steps that run at once"),
            ("undo: parallel, steps: [{p: {call: mail.send}}]", "`undo` is about steps that run at once"),
            ("mode: fast, steps: [{p: {call: mail.send}}]", "`mode` must be one of sequential, parallel"),
            ("mode: parallel", "a list of at least one step is needed"),
            ("mode: parallel, stepz: []", "unknown key `stepz` in saga"),
            ("timeout: soon, steps: [{p: {call: mail.send}}]", "`timeout` must be a duration"),
        ],
    )
    def test_mapping_is_refused(self, said: str, message: str) -> None:
        assert message in " ".join(messages_of(f"- s: {{saga: {{{said}}}}}\n"))

    def test_timeout_stands_once(self) -> None:
        do = "- s: {saga: {timeout: 1h, steps: [{p: {call: mail.send}}]}, timeout: 2h}\n"
        assert "says `timeout` twice" in messages_of(do)[0]

    @pytest.mark.parametrize("word", ["pivot", "retriable"])
    def test_word_needs_a_saga(self, word: str) -> None:
        assert messages_of(f"- a: {{call: mail.send, {word}: true}}\n")[0].startswith(f"1:24: `{word}` belongs to a step inside a `saga`")


class TestBeside:
    DO = "- s: {saga: {mode: parallel, steps: [{a: {call: orders.find}}, {b: %s}]}}\n"

    def test_step_cannot_be_read(self) -> None:
        [message] = messages_of(self.DO % "{set: '${ steps.s.a.output }'}")
        assert "`s.a` runs beside this one in the parallel saga `s`" in message

    def test_step_cannot_be_guarded(self) -> None:
        gate = "{g: {approve: {title: x, binds: [s.b], reviewers: {role: r}}}}"
        do = f"- s: {{saga: {{mode: parallel, steps: [{gate}, {{b: {{call: mail.send}}}}]}}}}\n"
        assert "`s.b`, which runs beside this approval" in messages_of(do)[0]

    def test_step_of_the_same_branch_can(self) -> None:
        do = "- s: {saga: {mode: parallel, steps: [{d: {do: [{a: {call: orders.find}}, {b: {set: '${ steps.s.d.a.output }'}}]}}]}}\n"
        assert messages_of(do) == []
