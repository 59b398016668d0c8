"""The tool `human.ask` in the agent loop: its call is a human task, and the model is told what the person said."""

from pydantic import JsonValue

from domain.agent_questions import HUMAN_ASK, TOO_LARGE
from domain.effects import EffectClass
from domain.labels import untrusted
from domain.past import KnownTask
from domain.program import Program
from domain.runs import RunStatus
from domain.schemas import validate
from domain.state import Answered, AskPerson, CallTool, Command
from tests.domain.play import Play
from tests.domain.programs import agent, pinned, program
from tests.domain.test_agent_loop import appended, finish_call, replied, wants

ASK = pinned(HUMAN_ASK, effect_class=EffectClass.NONE)
READ = pinned("flights.lookup", effect_class=EffectClass.READ)
QUESTION: dict[str, JsonValue] = {"question": "Is it urgent?\u202e", "details": "Ada asks.", "choices": ["yes", "no"]}


def asking() -> Program:
    """Build an agent that may ask people."""
    return program(agent("judge", tools=[HUMAN_ASK, "flights.lookup"]), output="${ steps.judge.output }", tools=[ASK, READ])


def asked(play: Play, arguments: JsonValue = None) -> AskPerson:
    """Let the model ask, and return the task."""
    commands = replied(play, "tool_calls", calls=[wants(HUMAN_ASK, arguments=QUESTION if arguments is None else arguments)])
    [command] = commands
    assert isinstance(command, AskPerson)
    return command


def answered(play: Play, command: AskPerson, **more: object) -> list[Command]:
    """Let a person answer, or let the time pass."""
    fields: dict[str, object] = {"command": command.id, "resolution": "completed", "ref": "answer-1", "by": "prn_p", **more}
    return play.apply(Answered.model_validate(fields))


class TestQuestion:
    def test_becomes_a_task_that_says_who_asks_and_shows_what_hides(self) -> None:
        task = asked(Play(asking())).task
        assert task.title == "Is it urgent?[U+202E RIGHT-TO-LEFT OVERRIDE]"
        assert task.detail == "The agent judge asks. Ada asks."
        assert (task.kind, task.call) == ("human", "1.0")

    def test_lets_a_person_choose_one_of_the_choices(self) -> None:
        form = asked(Play(asking())).task.form or {}
        assert validate(form, {"answer": "yes"}) == []
        assert validate(form, {"answer": "perhaps"}) != []

    def test_takes_any_text_without_choices(self) -> None:
        form = asked(Play(asking()), {"question": "Why?"}).task.form or {}
        assert validate(form, {"answer": "because"}) == []
        assert validate(form, {"answer": ""}) != []

    def test_too_large_to_be_shown_is_not_asked(self) -> None:
        play = Play(asking())
        replied(play, "tool_calls", calls=[{**wants(HUMAN_ASK), "arguments": None}])
        assert appended(play)[1]["error"] == TOO_LARGE


class TestAnswer:
    def test_is_told_to_the_model_which_goes_on(self) -> None:
        play = Play(asking())
        answered(play, asked(play))
        assert appended(play)[1]["ref"] == "answer-1"
        assert not untrusted(play.state.agents["judge"].taint)
        replied(play, "answered", answer={"urgent": True})
        assert play.end.status is RunStatus.SUCCEEDED

    def test_is_waited_for_while_other_calls_of_the_turn_run(self) -> None:
        play = Play(asking())
        commands = replied(play, "tool_calls", calls=[wants(HUMAN_ASK, arguments=QUESTION), wants("flights.lookup", vendor_id="w")])
        task, call = commands
        assert isinstance(task, AskPerson)
        assert isinstance(call, CallTool)
        assert finish_call(play, "1.1", "flight-1") == []
        answered(play, task)
        assert [one.get("ref") for one in appended(play)[1:]] == ["answer-1", "flight-1"]

    def test_that_nobody_gave_in_time_is_told_as_such(self) -> None:
        play = Play(asking())
        answered(play, asked(play), resolution="timed_out", ref=None, by="")
        assert "nobody answered in time" in str(appended(play)[1]["error"])


def test_a_known_answer_is_told_apart_by_its_call() -> None:
    assert KnownTask(step="judge", visit=1, completed=True).call == "task"
