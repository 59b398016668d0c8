"""The scripted model: one script for every claim, the same reply each time, and every way to misbehave."""

import json
from pathlib import Path

import pytest

from adapters.models.scripted import ScriptedProvider
from domain.errors import InvalidDefinition, ModelFailed, ModelUnavailable, UnknownModel
from domain.provider import CompletionReply, CompletionRequest, Message, StopReason
from tests.adapters.models.conversations import answer_to, request_of, script

REVIEW = r"""
standfast_script: 1
about: reviews one delay claim
capture: {claim: '"claim_id": "(CLM-\d+)"'}
turns:
  - name: mend the answer
    when: {last_role: user, last_contains: does not fit}
    reply: {json: {verdict: refuse, reason: "mended ${captured.claim}"}}
  - name: look the flight up
    when: {turn: 0}
    reply:
      text: I look up ${first.carrier} ${first.flight}.
      tool_calls:
        - tool: flights.lookup
          arguments: {carrier: "${first.carrier}", flight: "${first.flight}", date: "${first.date}"}
  - name: never flew
    when: {values: {"results[flights.lookup].found": {equals: false}}}
    reply: {json: {verdict: refuse, reason: "${results[flights.lookup].detail}"}}
  - name: compute the sum
    when:
      values:
        results[flights.lookup].arrival_delay_minutes: {at_least: 60}
        results[python.run]: {exists: false}
    reply:
      tool_calls:
        - tool: python.run
          arguments:
            code: |
              flight = ${results[flights.lookup]!python}
              print(120 if flight["arrival_delay_minutes"] >= 120 else 50)
  - name: pay
    when: {values: {"results[python.run].stdout": {exists: true}}}
    reply: {json: {verdict: pay, amount: "${results[python.run].stdout}", text: "costs $${x}"}}
"""


async def play(text: str, request: CompletionRequest, folder: Path) -> CompletionReply:
    """Return the reply of the script `s`."""
    return await ScriptedProvider({"s": script(folder, text)}).complete(request, timeout_s=5)


class TestReview:
    """One script over a whole conversation."""

    async def test_reads_the_claim_calls_tools_and_answers_from_their_results(self, tmp_path: Path) -> None:
        opened = request_of("scripted/s")
        lookup = await play(REVIEW, opened, tmp_path)
        assert lookup.text == "I look up EV 4250."
        assert lookup.tool_calls[0].arguments == {"carrier": "EV", "flight": 4250, "date": "2013-01-14"}
        looked_up = answer_to(
            opened, lookup.tool_calls[0], '{"found": true, "arrival_delay_minutes": 145, "cancelled": false, "gate": null}'
        )
        computing = await play(REVIEW, looked_up, tmp_path)
        code = str((computing.tool_calls[0].arguments or {})["code"])
        assert "'cancelled': False, 'gate': None" in code
        computed = answer_to(looked_up, computing.tool_calls[0], '{"stdout": 120}')
        final = await play(REVIEW, computed, tmp_path)
        assert json.loads(final.text) == {"verdict": "pay", "amount": 120, "text": "costs ${x}"}
        assert (final.stop, final.scripted) == (StopReason.ANSWERED, True)

    async def test_takes_another_branch_for_another_result(self, tmp_path: Path) -> None:
        opened = request_of("scripted/s")
        call = (await play(REVIEW, opened, tmp_path)).tool_calls[0]
        final = await play(REVIEW, answer_to(opened, call, '{"found": false, "detail": "never flew"}'), tmp_path)
        assert json.loads(final.text) == {"verdict": "refuse", "reason": "never flew"}

    async def test_gives_a_retry_on_another_worker_the_same_reply(self, tmp_path: Path) -> None:
        replies = [await play(REVIEW, request_of("scripted/s"), tmp_path) for _ in range(2)]
        assert replies[0] == replies[1]

    async def test_answers_a_repair_turn(self, tmp_path: Path) -> None:
        opened = request_of("scripted/s")
        mend = [Message(role="assistant", text="prose"), Message(role="user", text="Your answer does not fit its schema.")]
        request = opened.model_copy(update={"messages": [*opened.messages, *mend]})
        assert json.loads((await play(REVIEW, request, tmp_path)).text)["reason"] == "mended CLM-1001"

    async def test_fails_with_file_and_line_when_a_path_leads_nowhere(self, tmp_path: Path) -> None:
        request = request_of("scripted/s", Message(role="user", text="no claim here"))
        with pytest.raises(ModelFailed, match=r"first\.carrier") as caught:
            await play(REVIEW, request, tmp_path)
        assert caught.value.where == f"{tmp_path / 'script.yaml'}:9"

    async def test_says_so_when_no_turn_fits(self, tmp_path: Path) -> None:
        request = request_of("scripted/s", Message(role="user", text="go"), Message(role="assistant", text="what?"))
        with pytest.raises(ModelFailed, match="1 assistant messages so far, and the last message is 'what\\?'"):
            await play(REVIEW, request, tmp_path)


class TestName:
    """A script plays only when it is asked for by name."""

    @pytest.mark.parametrize("model", ["s", "scripted/other", "scripted/", "anthropic/s"])
    async def test_is_refused_unless_it_is_exactly_a_script_here(self, model: str, tmp_path: Path) -> None:
        with pytest.raises(UnknownModel, match="scripted/s"):
            await play(REVIEW, request_of(model), tmp_path)


class TestMisbehaviour:
    """The failures a script can play."""

    async def test_fails_so_many_times_and_then_replies(self, tmp_path: Path) -> None:
        text = "{standfast_script: 1, turns: [{fail: {status: 429, times: 2, retry_after_s: 3}, reply: {text: ok}}]}"
        provider = ScriptedProvider({"s": script(tmp_path, text)})
        for _ in range(2):
            with pytest.raises(ModelUnavailable) as caught:
                await provider.complete(request_of("scripted/s"), timeout_s=5)
            assert caught.value.retry_after_s == 3
        assert (await provider.complete(request_of("scripted/s"), timeout_s=5)).text == "ok"

    async def test_counts_the_failures_of_each_conversation_by_itself(self, tmp_path: Path) -> None:
        text = "{standfast_script: 1, turns: [{fail: {status: 500, times: 1}, reply: {text: ok}}]}"
        provider = ScriptedProvider({"s": script(tmp_path, text)})
        for claim in ("first claim", "second claim"):
            with pytest.raises(ModelUnavailable):
                await provider.complete(request_of("scripted/s", Message(role="user", text=claim)), timeout_s=5)

    async def test_answers_prose_with_a_stop_of_its_own(self, tmp_path: Path) -> None:
        reply = await play("{standfast_script: 1, turns: [{reply: {text: No., stop: refused}}]}", request_of("scripted/s"), tmp_path)
        assert (reply.text, reply.stop) == ("No.", StopReason.REFUSED)


class TestScriptFile:
    """A bad script is refused with the place of its first mistake."""

    @pytest.mark.parametrize(
        ("text", "place", "said"),
        [
            ("standfast_script: 1\nturns:\n  - reply: {txt: hi}\n", "3:13", "turns.0.reply.txt"),
            ("standfast_script: 2\nturns: [{reply: {text: hi}}]\n", "1:1", "Input should be 1"),
            ("standfast_script: 1\nturns:\n  - when: {turn: 0}\n", "3:5", "reply is missing"),
            ("standfast_script: 1\nturns:\n  - reply:\n      text: ${nothing.here}\n", "4:7", "begins with none of first"),
            ("standfast_script: 1\nturns:\n  - when: {last_matches: '('}\n    reply: {text: hi}\n", "3:12", "not a regular expression"),
            (
                "standfast_script: 1\nturns:\n  - when: {values: {first..x: {exists: true}}}\n    reply: {}\n",
                "3:21",
                "is not a path",
            ),
            ("standfast_script: 1\nturns: [\n", "3:1", "no YAML"),
            ("standfast_script: 1\nturns: []\nturns: []\n", "3:1", "duplicate key"),
            ("- just a list\n", "1:1", "must be a mapping"),
        ],
    )
    def test_says_where_and_what(self, text: str, place: str, said: str, tmp_path: Path) -> None:
        path = script(tmp_path, text)
        with pytest.raises(InvalidDefinition) as caught:
            ScriptedProvider({"s": path})
        assert caught.value.where == f"{path}:{place}"
        assert said in caught.value.detail

    def test_names_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidDefinition, match="cannot be read"):
            ScriptedProvider({"s": tmp_path / "absent.yaml"})

    async def test_may_be_json(self, tmp_path: Path) -> None:
        text = json.dumps({"standfast_script": 1, "turns": [{"reply": {"text": "hi"}}]})
        assert (await play(text, request_of("scripted/s"), tmp_path)).text == "hi"
