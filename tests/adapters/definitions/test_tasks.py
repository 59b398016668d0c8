"""Work for people, as a definition says it: a `task:` step, and `doubts:` at its top."""

import pytest

from adapters.definitions.yaml_reader import YamlBundleReader
from domain.compile import compile_program
from domain.program import Program, TaskStep
from domain.tasks import TaskRung, TaskTerms
from tests.adapters.definitions.bundles import TOOLS, bundle, messages_of


def compiled(steps: str, top: str = "") -> Program:
    """Return the compiled program of a definition."""
    files = bundle(steps)
    (name,) = files
    drafts, problems = YamlBundleReader().read({name: files[name] + top}, tools=TOOLS)
    assert not problems, problems
    return compile_program(drafts[0], tools=TOOLS, config={})


def read(task: str) -> TaskStep:
    """Return the compiled task step of a definition that has no other."""
    [step] = compiled(f"- t: {{task: {{title: t, {task}}}}}\n").steps
    assert isinstance(step, TaskStep)
    return step


def told(task: str) -> list[str]:
    """Return the mistakes of a task step, without their places."""
    return [message.split(" ", 1)[1] for message in messages_of(f"- t: {{task: {{title: t, {task}}}}}\n")]


class TestTask:
    def test_says_whose_it_is_and_by_when(self) -> None:
        step = read("assign: {role: desk}, priority: high, due: 1h, escalate: [{after: 2h, to: {role: lead}}]")
        assert step.terms == TaskTerms(role="desk", priority="high", due_s=3600, ladder=[TaskRung(after_s=7200, role="lead")])
        assert (step.timeout_s, step.on_timeout, step.form) == (None, "fail", None)

    def test_may_be_one_persons_and_nobodys(self) -> None:
        assert read("assign: {principal: prn_a}").terms.principal == "prn_a"
        assert read("priority: normal").terms == TaskTerms()

    def test_ends_at_its_timeout_or_where_it_says_so_at_its_due_instant(self) -> None:
        assert read("due: 1h, timeout: 3h, on_timeout: skip").timeout_s == 3 * 3600
        step = read("due: 1h, on_timeout: skip")
        assert (step.timeout_s, step.on_timeout) == (3600, "skip")

    def test_gives_its_form_to_what_reads_its_output(self) -> None:
        form = "form: {schema: {type: object, properties: {iban: {type: string}}}}"
        made = compiled(f'- t: {{task: {{title: t, {form}}}}}\n- s: {{set: "${{ steps.t.output.iban }}"}}\n')
        assert made.projections["t"] == ["iban"]
        wrong = messages_of(f'- t: {{task: {{title: t, {form}}}}}\n- s: {{set: "${{ steps.t.output.ibn }}"}}\n')
        assert any("declares no field `ibn`" in message for message in wrong)

    @pytest.mark.parametrize(
        ("task", "message"),
        [
            ("assign: {}", "a task is assigned to a `role` or to a `principal`, and not to both"),
            ("assign: {role: a, principal: b}", "a task is assigned to a `role` or to a `principal`, and not to both"),
            ("assign: {group: a}", "unknown key `group` in assign"),
            ("on_timeout: skip", "`on_timeout` needs a `timeout`, or a `due` that it may end the task at"),
            ("escalate: {after: 1h}", "`escalate` is a list of at most 20 rungs"),
            ("escalate: [{to: {role: lead}}]", "`after` is missing"),
            ("timeout: 1h, escalate: [{after: 2h, to: {role: lead}}]", "this rung would be reached when the time is over"),
            ("form: {schema: {type: nonsense}}", "not a usable JSON Schema"),
            ("priority: dire", "`priority`"),
            ("colour: red", "unknown key `colour` in task"),
        ],
    )
    def test_with_a_mistake_says_what_is_wrong(self, task: str, message: str) -> None:
        assert any(message in each for each in told(task)), told(task)

    def test_twice_timed_is_refused(self) -> None:
        messages = messages_of("- t: {task: {title: t, timeout: 1h}, timeout: 2h}\n")
        assert any("says `timeout` twice" in message for message in messages)


class TestDoubts:
    def test_have_the_terms_of_their_definition(self) -> None:
        made = compiled("- s: {set: 1}\n", "doubts: {assign: {role: payments}, due: 4h}\n")
        assert made.doubts == TaskTerms(role="payments", due_s=4 * 3600)
        assert compiled("- s: {set: 1}\n").doubts is None
