"""Who is asked and when, as a definition says it: groups, reminders, the ladder, forms, calendars."""

import pytest

from adapters.definitions.yaml_reader import YamlBundleReader
from domain.approval_rules import Moment, ReviewerGroup, Reviewers, Rung
from domain.compile import compile_program
from domain.program import ApproveStep
from tests.adapters.definitions.bundles import TOOLS, bundle, messages_of


def read(approve: str) -> ApproveStep:
    """Return the compiled approve step of a definition that has no other."""
    drafts, _ = YamlBundleReader().read(bundle(f"- g: {{approve: {{title: t, {approve}}}}}\n"), tools=TOOLS)
    [step] = compile_program(drafts[0], tools=TOOLS, config={}).steps
    assert isinstance(step, ApproveStep)
    return step


def told(approve: str) -> list[str]:
    """Return the mistakes of an approve step, without their places."""
    return [message.split(" ", 1)[1] for message in messages_of(f"- g: {{approve: {{title: t, {approve}}}}}\n")]


class TestReviewers:
    def test_of_one_role_are_as_they_were(self) -> None:
        step = read("reviewers: {role: payer, quorum: 1}")
        assert (step.reviewer_role, step.reviewers, step.timed, step.exclude_requester) == ("payer", None, False, True)

    def test_of_one_role_may_be_several_persons(self) -> None:
        step = read("reviewers: {role: payer, quorum: 2, veto: true, exclude_requester: false}")
        assert step.reviewers == Reviewers(groups=[ReviewerGroup(role="payer", quorum=2, veto=True)])
        assert (step.exclude_requester, step.timed) == (False, True)

    @pytest.mark.parametrize("way", ["any", "all"])
    def test_may_be_groups(self, way: str) -> None:
        step = read(f"reviewers: {{{way}: [{{role: payer}}, {{role: lawyer, quorum: 2}}], four_eyes: true}}")
        assert step.reviewers is not None
        assert (step.reviewers.combine, step.reviewers.four_eyes, step.reviewer_role) == (way, True, "payer")
        assert [(group.role, group.quorum) for group in step.reviewers.groups] == [("payer", 1), ("lawyer", 2)]

    @pytest.mark.parametrize(
        ("reviewers", "message"),
        [
            ("{role: a, any: [{role: b}]}", "reviewers are one role, `any` or `all` of several groups, not `role` and `any`"),
            ("{all: []}", "groups are a list"),
            ("{all: [{role: a}, {role: a}]}", "two groups ask the role `a`"),
            ("{all: [{role: a}], quorum: 2}", "`quorum` belongs to a group here"),
            ("{all: [{role: a, for: 2}]}", "unknown key `for` in reviewers"),
            ("{role: a, quorum: 101}", "`quorum` must be an integer from 1 to 100"),
            ("{quorum: 2}", "`role` is missing"),
            ("{role: a, principals: [x]}", "`principals` comes in a later version"),
        ],
    )
    def test_refuses(self, reviewers: str, message: str) -> None:
        assert [each for each in told(f"reviewers: {reviewers}") if each.startswith(message)]


class TestTime:
    def test_is_told_in_seconds_after_the_opening(self) -> None:
        step = read(
            "reviewers: {role: a}, timeout: 24h, remind: [20h, 4h], escalate: [{after: 12h, to: {role: lead, quorum: 2}, replace: true}]"
        )
        assert (step.timeout_s, step.remind_s) == (86_400, [14_400, 72_000])
        assert step.ladder == [Rung(to=ReviewerGroup(role="lead", quorum=2), moment=Moment(after_s=43_200), replace=True)]

    def test_may_escalate_at_the_deadline(self) -> None:
        step = read("reviewers: {role: a}, timeout: 1d, on_timeout: escalate, escalate: [{to: {role: lead}}]")
        assert (step.on_timeout, step.ladder[0].moment) == ("escalate", None)

    def test_may_count_in_a_calendars_working_time(self) -> None:
        assert read("reviewers: {role: a}, timeout: 8h, calendar: office-hours@2").calendar == "office-hours@2"

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            ("remind: 4h", "`remind` is a list"),
            ("remind: [often]", "a reminder comes a duration"),
            ("timeout: 4h, remind: [4h]", "this reminder would come when the deadline has passed"),
            ("escalate: {after: 4h}", "`escalate` is a list"),
            ("escalate: [{to: {role: lead}}]", "`after` is missing"),
            ("escalate: [{after: 4h}]", "`to` is missing"),
            ("timeout: 4h, escalate: [{after: 5h, to: {role: lead}}]", "this rung would be reached when the deadline has passed"),
            ("timeout: 4h, on_timeout: escalate", "`on_timeout: escalate` needs a rung"),
            ("timeout: 4h, on_timeout: escalate, escalate: [{after: 1h, to: {role: lead}}]", "`on_timeout: escalate` needs a rung"),
            ("calendar: Office Hours", "`Office Hours` is no name of a calendar"),
        ],
    )
    def test_refuses(self, said: str, message: str) -> None:
        assert [each for each in told(f"reviewers: {{role: a}}, {said}") if message in each]


class TestForm:
    def test_is_a_schema(self) -> None:
        step = read("reviewers: {role: a}, form: {schema: {type: object, required: [reason]}}")
        assert step.form == {"type": "object", "required": ["reason"]}

    def test_refuses_what_is_no_schema(self) -> None:
        assert told("reviewers: {role: a}, form: {schema: {type: nothing}}")
        assert told("reviewers: {role: a}, form: {fields: 2}")


class TestQuestions:
    def read(self, questions: str, *, title: str = "Pay ${ steps.judge.output }?") -> list[str]:
        """Return the mistakes of an approve step behind an agent."""
        judge = "- judge: {agent: {model: x/y, instructions: {text: x}}}\n"
        return messages_of(f'{judge}- g: {{approve: {{title: "{title}", reviewers: {{role: payer}}, questions: {questions}}}}}\n')

    def test_are_the_requesters_unless_said_otherwise(self) -> None:
        assert not read("reviewers: {role: payer}").agent_answers

    def test_may_go_to_the_agent_whose_answer_is_judged(self) -> None:
        assert self.read("agent") == []

    def test_need_an_agent_whose_answer_is_judged(self) -> None:
        assert "needs an agent step before" in self.read("agent", title="Pay?")[0]

    def test_go_to_nobody_else(self) -> None:
        assert "`questions` must be one of requester, agent" in self.read("board")[0]
