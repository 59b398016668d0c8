"""The contract of `LlmProvider`, on every adapter and on the fake, whole and streamed."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from adapters.models.tool_arguments import parse_arguments
from domain.errors import ModelFailed, ModelUnavailable
from domain.provider import CompletionReply, CompletionRequest, Delta, Message, ModelToolCall, StopReason, ToolSchema
from tests.contracts.model_subjects import SUBJECTS, Subject
from tests.servers.model_server import Answer, PlannedCall

LOOKUP = ToolSchema(
    name="flights.lookup",
    description="Looks a flight up.",
    parameters={"type": "object", "properties": {"flight": {"type": "integer"}}, "required": ["flight"]},
)
RUN = ToolSchema(name="python.run", description="Runs Python.", parameters={"type": "object", "properties": {"code": {"type": "string"}}})


@pytest.fixture(params=SUBJECTS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Subject]:
    """One implementation after the other."""
    async with SUBJECTS[str(request.param)](tmp_path) as opened:
        yield opened


@pytest.fixture(params=["whole", "streamed"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the answer comes."""
    return str(request.param)


def request_to(subject: Subject, *messages: Message) -> CompletionRequest:
    """Return a request with two tools."""
    conversation = list(messages) or [Message(role="user", text="Was flight 4250 late?")]
    return CompletionRequest(model=subject.model, instructions="Review the claim.", messages=conversation, tools=[LOOKUP, RUN])


async def complete(subject: Subject, *messages: Message, mode: str) -> CompletionReply:
    """Call the subject and check that what streamed is what was answered."""
    pieces: list[Delta] = []

    async def keep(piece: Delta) -> None:
        pieces.append(piece)

    reply = await subject.provider.complete(request_to(subject, *messages), keep if mode == "streamed" else None, timeout_s=10)
    if mode == "streamed" and reply.stop is not StopReason.REFUSED:
        assert "".join(piece.text for piece in pieces if piece.kind == "text") == reply.text
        assert streamed_calls(pieces) == [(call.name, call.arguments or call.raw_arguments) for call in reply.tool_calls]
    return reply


def streamed_calls(pieces: list[Delta]) -> list[tuple[str | None, object]]:
    """Return name and arguments of each call, read from the pieces alone."""
    told = [piece for piece in pieces if piece.kind == "tool_arguments"]
    calls: list[tuple[str | None, object]] = []
    for index in sorted({piece.index for piece in told}):
        own = [piece for piece in told if piece.index == index]
        assert [piece.name for piece in own[1:]] == [None] * len(own[1:]), "only the first piece names the tool"
        raw = "".join(piece.text for piece in own)
        arguments = parse_arguments(raw)
        calls.append((own[0].name, raw if arguments is None else arguments or ""))
    return calls


class TestReply:
    """What a reply tells."""

    async def test_has_the_text_and_counts_of_an_answer(self, subject: Subject, mode: str) -> None:
        subject.plan(Answer(text="It was 145 minutes late.", input_tokens=11, output_tokens=7))
        reply = await complete(subject, mode=mode)
        assert (reply.text, reply.stop, reply.tool_calls) == ("It was 145 minutes late.", StopReason.ANSWERED, [])
        assert reply.model == subject.model
        assert reply.scripted is subject.scripted
        assert min(reply.input_tokens, reply.output_tokens) > 0

    async def test_has_every_parallel_tool_call_under_our_names(self, subject: Subject, mode: str) -> None:
        subject.plan(
            Answer(text="Looking.", calls=(PlannedCall("flights.lookup", {"flight": 1}), PlannedCall("python.run", {"code": "1"})))
        )
        reply = await complete(subject, mode=mode)
        assert reply.stop is StopReason.TOOL_CALLS
        assert [(call.name, call.arguments) for call in reply.tool_calls] == [
            ("flights.lookup", {"flight": 1}),
            ("python.run", {"code": "1"}),
        ]
        assert len({call.vendor_id for call in reply.tool_calls}) == 2

    async def test_keeps_malformed_arguments_as_text(self, subject: Subject, mode: str) -> None:
        subject.plan(Answer(calls=(PlannedCall("flights.lookup", raw='{"flight": 42'),)))
        if not subject.text_arguments:  # the vendor could not read its model either: it may be asked again
            with pytest.raises(ModelUnavailable, match="MALFORMED"):
                await complete(subject, mode=mode)
            return
        call = (await complete(subject, mode=mode)).tool_calls[0]
        assert (call.name, call.arguments, call.raw_arguments) == ("flights.lookup", None, '{"flight": 42')

    async def test_keeps_a_tool_that_nobody_offered(self, subject: Subject, mode: str) -> None:
        subject.plan(Answer(calls=(PlannedCall("bank.rob", {}),)))
        call = (await complete(subject, mode=mode)).tool_calls[0]
        assert (call.name, call.arguments) == ("bank.rob", {})

    async def test_tells_a_refusal(self, subject: Subject, mode: str) -> None:
        subject.plan(Answer(text="I cannot help with that.", stop="refused"))
        reply = await complete(subject, mode=mode)
        assert (reply.stop, reply.text) == (StopReason.REFUSED, "I cannot help with that.")

    async def test_tells_a_cut_off_answer(self, subject: Subject, mode: str) -> None:
        subject.plan(Answer(text='{"verdict": "pa', stop="length"))
        reply = await complete(subject, mode=mode)
        assert (reply.stop, reply.text) == (StopReason.LENGTH, '{"verdict": "pa')

    async def test_continues_a_conversation_with_parallel_and_malformed_calls(self, subject: Subject, mode: str) -> None:
        calls = [
            ModelToolCall(vendor_id="a", name="flights.lookup", arguments={"flight": 1}),
            ModelToolCall(vendor_id="b", name="bank.rob", arguments=None, raw_arguments="{"),
        ]
        subject.plan(Answer(text="Done."))
        reply = await complete(
            subject,
            Message(role="user", text="Was it late?"),
            Message(role="assistant", text="", tool_calls=calls),
            Message(role="tool", text='{"found": true}', vendor_id="a"),
            Message(role="tool", text="no such tool", vendor_id="b", is_error=True),
            Message(role="user", text="Answer now."),
            mode=mode,
        )
        assert reply.text == "Done."


class TestReasoning:
    """What a model thinks before it answers."""

    async def test_streams_and_is_no_part_of_the_reply(self, subject: Subject) -> None:
        pieces: list[Delta] = []

        async def keep(piece: Delta) -> None:
            pieces.append(piece)

        subject.plan(Answer(reasoning="145 is more than 120.", text="Yes."))
        reply = await subject.provider.complete(request_to(subject), keep, timeout_s=10)
        assert "".join(piece.text for piece in pieces if piece.kind == "reasoning") == "145 is more than 120."
        assert [piece.kind for piece in pieces] == sorted((piece.kind for piece in pieces), key=["reasoning", "text"].index)
        assert reply.text == "Yes."


class TestFailure:
    """Which failures may pass, and which last."""

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
    async def test_may_pass(self, subject: Subject, mode: str, status: int) -> None:
        subject.plan(Answer(status=status, headers={"retry-after": "2"}))
        with pytest.raises(ModelUnavailable) as caught:
            await complete(subject, mode=mode)
        assert caught.value.retry_after_s == 2

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
    async def test_lasts(self, subject: Subject, mode: str, status: int) -> None:
        subject.plan(Answer(status=status, message="prompt is too long"))
        with pytest.raises(ModelFailed, match="prompt is too long"):
            await complete(subject, mode=mode)


class TestDeadline:
    """The bound of a whole call."""

    async def test_makes_the_model_unavailable(self, subject: Subject, mode: str) -> None:
        subject.plan(Answer(hang=True))

        async def ignore(_piece: Delta) -> None: ...

        with pytest.raises(ModelUnavailable, match="seconds"):
            await subject.provider.complete(request_to(subject), ignore if mode == "streamed" else None, timeout_s=0.2)


class TestOnDelta:
    """The receiver of a stream."""

    async def test_aborts_the_call_when_it_raises(self, subject: Subject) -> None:
        subject.plan(Answer(text="It was late."))

        async def refuse(_piece: Delta) -> None:
            raise asyncio.QueueFull

        with pytest.raises(asyncio.QueueFull):
            await subject.provider.complete(request_to(subject), refuse, timeout_s=10)


class TestCancellation:
    """A call that nobody waits for any more."""

    async def test_ends_the_call(self, subject: Subject) -> None:
        subject.plan(Answer(hang=True))
        call = asyncio.ensure_future(subject.provider.complete(request_to(subject), timeout_s=30))
        done, _ = await asyncio.wait({call}, timeout=0.1)
        assert not done
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
