"""The activity that calls a model: the conversation by reference, calls checked against schemas, answers against theirs."""

import pytest
from pydantic import JsonValue

from activities.prompts import PromptActivities
from activities.replies import read_answer
from domain.canonical import canonical_bytes
from domain.capabilities import Capabilities
from domain.envelope import Envelope
from domain.errors import InvalidInput, ModelFailed, UnknownModel
from domain.model_table import NO_ALIASES, ModelTable
from domain.projection import PROJECTED_BYTES_MAX, project
from domain.provider import CompletionReply, Message, ModelToolCall, StopReason
from domain.stores import ConversationHead
from tests.activities.bench import TENANT, envelope
from tests.fake_provider import FakeProvider, answered, calling
from tests.fakes_prices import FakePrices
from tests.fakes_stores import FakeStores

SCHEMA: dict[str, JsonValue] = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
FIELDS = ["stop", "head", "calls", "problems", "scripted"]


class Conversations:
    """A message store in memory; the digest of a head is its count."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def append(self, tenant: str, run: str, conversation: str, head: ConversationHead, messages: list[Message]) -> ConversationHead:
        """Append after `head`."""
        del tenant, run, conversation
        self.messages[head.count :] = [Message.model_validate_json(message.model_dump_json()) for message in messages]
        return ConversationHead(count=len(self.messages), digest=str(len(self.messages)))

    async def load(self, tenant: str, run: str, conversation: str, head: ConversationHead) -> list[Message]:
        """Return what the head names."""
        del tenant, run, conversation
        return self.messages[: head.count]


PICTURE: dict[str, JsonValue] = {"media_type": "image/png", "data": "iVBORw=="}
INPUT: JsonValue = {"photo": PICTURE, "claim": "CLM-1", "broken": {"media_type": "image/png", "data": "no base64"}}


async def given_input(_tenant: str, _run: str) -> JsonValue:
    """Return a run's input with a picture."""
    return INPUT


class Desk:
    """The activity over fakes."""

    def __init__(self, *replies: CompletionReply, table: ModelTable = NO_ALIASES) -> None:
        self.provider = FakeProvider(*replies)
        self.messages = Conversations()
        self.stores = FakeStores()
        self.activities = PromptActivities(
            provider=self.provider,
            prices=FakePrices(1),
            messages=self.messages,
            payloads=self.stores.payloads,
            input_of=given_input,
            models=table,
        )

    async def ask(self, *append: dict[str, JsonValue], **request: JsonValue) -> dict[str, JsonValue]:
        """Ask once and return the stored outcome."""
        receipt = await self.activities.complete_prompt(prompt(*append, **request))
        assert isinstance(receipt.output, dict)
        return receipt.output


def prompt(*append: dict[str, JsonValue], **request: JsonValue) -> Envelope:
    """Build the envelope of a model call with one tool."""
    tool: JsonValue = {"name": "notes.read", "version": "1.0.0", "description": "reads", "parameters": SCHEMA}
    asked: dict[str, JsonValue] = {
        "model": "fake/model",
        "instructions": "Decide.",
        "tools": [tool],
        "output_schema": SCHEMA,
        "head": {"count": 0, "digest": ""},
        "append": list(append) or [{"kind": "user", "value": "hello"}],
        **request,
    }
    return envelope().model_copy(update={"request": asked, "project": FIELDS})


def wanted(arguments: dict[str, JsonValue] | None, *, raw: str = "", name: str = "notes.read") -> ModelToolCall:
    """Build a call that the model asks for."""
    return ModelToolCall(vendor_id="v1", name=name, arguments=arguments, raw_arguments=raw)


class TestConversation:
    async def test_is_extended_by_what_is_new_and_sent_whole(self) -> None:
        desk = Desk(answered('{"amount": 1}'), answered('{"amount": 2}'))
        first = await desk.ask({"kind": "user", "value": {"b": 1, "a": "ä"}})
        ref = desk.stores.database.store_payload(TENANT, first)
        result = desk.stores.database.store_payload(TENANT, {"seats": 4})
        head: JsonValue = {"count": 1, "digest": "1"}
        told: list[dict[str, JsonValue]] = [
            {"kind": "reply", "ref": ref},
            {"kind": "tool", "vendor_id": "v1", "ref": result, "error": None},
            {"kind": "tool", "vendor_id": "v2", "ref": None, "error": "there is no tool 'x' here"},
        ]
        second = await desk.ask(*told, head=head)
        sent = desk.provider.requests[1].messages
        assert [(m.role, m.text, m.is_error) for m in sent] == [
            ("user", '{"a": "ä", "b": 1}', False),
            ("assistant", '{"amount": 1}', False),
            ("tool", '{"seats": 4}', False),
            ("tool", "there is no tool 'x' here", True),
        ]
        assert second["head"] == {"count": 4, "digest": "4"}

    async def test_is_the_same_when_an_attempt_is_repeated(self) -> None:
        desk = Desk(answered("x"), answered("x"))
        assert (await desk.ask())["head"] == (await desk.ask())["head"]
        assert len(desk.messages.messages) == 1


class TestCost:
    async def test_of_the_reply_is_counted(self) -> None:
        receipt = await Desk(answered("{}")).activities.complete_prompt(prompt())
        assert (receipt.usage.input_tokens, receipt.usage.output_tokens, receipt.usage.cost_usd_micros) == (10, 5, 15)
        assert receipt.usage.model == "fake/model"

    async def test_that_cannot_be_counted_refuses_the_call(self) -> None:
        desk = Desk(answered("{}"))
        with pytest.raises(UnknownModel, match="STANDFAST_PRICES"):
            await desk.ask(model="fake/unpriced")
        assert desk.provider.requests == []

    async def test_of_a_model_that_declined_is_counted_with_the_one_that_answered(self) -> None:
        refused = CompletionReply(text="No.", stop=StopReason.REFUSED, model="fake/model", input_tokens=4, output_tokens=1)
        desk = Desk(refused, answered("{}"))
        receipt = await desk.activities.complete_prompt(prompt(fallbacks=[{"model": "fake/other"}]))
        assert [asked.model for asked in desk.provider.requests] == ["fake/model", "fake/other"]
        assert (receipt.usage.model, receipt.usage.cost_usd_micros, receipt.usage.input_tokens) == ("fake/other", 20, 14)
        declined: JsonValue = {"model": "fake/model", "reason": "refusal", "cost_usd_micros": "5"}
        assert receipt.noted == {"answered_by": "fake/other", "fallbacks": [declined]}
        assert isinstance(receipt.output, dict)
        assert (receipt.output["model"], receipt.output["answered_by"]) == ("fake/model", "fake/other")

    async def test_needs_a_price_for_every_model_of_the_chain(self) -> None:
        desk = Desk(answered("{}"))
        with pytest.raises(UnknownModel, match="fake/unpriced"):
            await desk.ask(fallbacks=[{"model": "fake/unpriced"}])


class TestAttachments:
    async def test_are_read_for_each_call_and_never_stored(self) -> None:
        desk = Desk(answered("{}"), answered("{}"))
        ref = desk.stores.database.store_payload(TENANT, {"pages": [PICTURE, {**PICTURE, "name": "two.png"}]})
        shown: JsonValue = [{"ref": ref, "path": "pages"}, {"ref": "input", "path": "photo"}]
        first = await desk.ask({"kind": "user", "value": "look", "attachments": shown})
        [message] = desk.provider.requests[0].messages
        assert [(one.path, one.name, one.content) for one in message.attachments] == [
            ("pages.0", "", b"\x89PNG"),
            ("pages.1", "two.png", b"\x89PNG"),
            ("photo", "", b"\x89PNG"),
        ]
        assert [one.content for one in desk.messages.messages[0].attachments] == [None, None, None]
        assert "iVBORw" not in str(first)
        await desk.ask({"kind": "user", "value": "again"}, head=first["head"])
        assert [one.content for one in desk.provider.requests[1].messages[0].attachments] == [b"\x89PNG"] * 3

    async def test_that_are_not_there_are_none(self) -> None:
        desk = Desk(answered("{}"))
        await desk.ask({"kind": "user", "value": "look", "attachments": [{"ref": "input", "path": "scan"}]})
        assert desk.provider.requests[0].messages[0].attachments == []

    @pytest.mark.parametrize("path", ["claim", "broken"])
    async def test_that_are_no_files_fail_the_step(self, path: str) -> None:
        with pytest.raises(InvalidInput, match=path):
            await Desk(answered("{}")).ask({"kind": "user", "value": "look", "attachments": [{"ref": "input", "path": path}]})

    async def test_that_the_model_does_not_read_never_reach_it(self) -> None:
        desk = Desk(answered("{}"), table=ModelTable(capabilities={"fake/*": Capabilities(images=False)}))
        with pytest.raises(ModelFailed, match="reads no images"):
            await desk.ask({"kind": "user", "value": "look", "attachments": [{"ref": "input", "path": "photo"}]})
        assert desk.provider.requests == []

    async def test_that_a_model_does_not_read_go_to_the_next_of_its_chain(self) -> None:
        desk = Desk(answered("{}"), table=ModelTable(capabilities={"fake/blind": Capabilities(images=False)}))
        look: dict[str, JsonValue] = {"kind": "user", "value": "look", "attachments": [{"ref": "input", "path": "photo"}]}
        receipt = await desk.activities.complete_prompt(prompt(look, model="fake/blind", fallbacks=[{"model": "fake/seeing"}]))
        assert [asked.model for asked in desk.provider.requests] == ["fake/seeing"]
        passed: JsonValue = {"model": "fake/blind", "reason": "unable", "cost_usd_micros": "0"}
        assert receipt.noted == {"answered_by": "fake/seeing", "fallbacks": [passed]}


class TestLength:
    """Conversations for which a model's context is too short."""

    TABLE = ModelTable(capabilities={"fake/short": Capabilities(context_tokens=5000), "fake/shorter": Capabilities(context_tokens=4100)})
    LONG: dict[str, JsonValue] = {"kind": "user", "value": "word " * 1000}

    async def test_goes_to_the_next_model_with_room(self) -> None:
        desk = Desk(answered("{}"), table=self.TABLE)
        outcome = await desk.ask(self.LONG, model="fake/short", fallbacks=[{"model": "fake/shorter"}, {"model": "fake/long"}])
        assert [asked.model for asked in desk.provider.requests] == ["fake/long"]
        told = "`fake/short` reads and writes at most 5000 tokens together; this request has about "
        fallbacks = outcome["fallbacks"]
        assert isinstance(fallbacks, list)
        assert [str(one).count("unable") for one in fallbacks] == [1, 1]
        assert told in str(fallbacks[0])

    async def test_is_left_to_the_vendor_where_no_model_seems_to_have_room(self) -> None:
        desk = Desk(answered("{}"), table=self.TABLE)
        await desk.ask(self.LONG, model="fake/short", fallbacks=[{"model": "fake/shorter"}])
        assert [asked.model for asked in desk.provider.requests] == ["fake/short"]

    async def test_is_what_was_counted_and_an_estimate_of_the_rest(self) -> None:
        desk = Desk(answered("{}"), answered("{}"), table=self.TABLE)
        for known, asked in ((100, "fake/short"), (1000, "fake/long")):
            await desk.ask({"kind": "user", "value": "brief"}, model="fake/short", fallbacks=[{"model": "fake/long"}], known_tokens=known)
            assert desk.provider.requests[-1].model == asked


class TestCalls:
    async def test_that_fit_travel_with_their_arguments(self) -> None:
        outcome = await Desk(calling(wanted({"amount": 1}))).ask()
        assert outcome["calls"] == [{"name": "notes.read", "vendor_id": "v1", "problem": None, "arguments": {"amount": 1}}]

    async def test_with_large_arguments_travel_without(self) -> None:
        outcome = await Desk(calling(wanted({"amount": 1, "text": "x" * 3000}))).ask()
        [call] = outcome["calls"] if isinstance(outcome["calls"], list) else []
        assert isinstance(call, dict)
        assert (call["problem"], call["arguments"]) == (None, None)

    @pytest.mark.parametrize(
        ("call", "problem"),
        [
            (wanted(None, raw='{"amount": '), 'no JSON object: {"amount": '),
            (wanted({"amount": "much"}), "break the schema: /amount"),
            (wanted({}), "break the schema"),
        ],
    )
    async def test_that_are_malformed_come_with_the_problem(self, call: ModelToolCall, problem: str) -> None:
        outcome = await Desk(calling(call)).ask()
        assert problem in str(outcome["calls"])

    @pytest.mark.parametrize("arguments", [{"amount": 1, "text": "x" * 1900}, {"text": "y" * 1900}, None])
    async def test_of_a_talkative_model_fit_into_history_all_the_same(self, arguments: dict[str, JsonValue] | None) -> None:
        outcome = await Desk(calling(*(wanted(arguments, raw="z" * 2000) for _ in range(12)))).ask()
        assert len(canonical_bytes(project(outcome, FIELDS))) < PROJECTED_BYTES_MAX


class TestAnswer:
    async def test_that_breaks_its_schema_in_many_places_fits_into_history(self) -> None:
        schema: JsonValue = {"type": "array", "items": {"type": "string", "maxLength": 1, "pattern": "^a*$"}}
        text = "[" + ",".join('"' + "b" * 400 + '"' for _ in range(60)) + "]"
        outcome = await Desk(answered(text)).ask(output_schema=schema)
        assert outcome["problems"]
        assert len(canonical_bytes(project(outcome, FIELDS))) < PROJECTED_BYTES_MAX

    @pytest.mark.parametrize("stop", [StopReason.REFUSED, StopReason.LENGTH])
    async def test_is_not_read_when_there_is_none(self, stop: StopReason) -> None:
        reply = CompletionReply(text="half an ans", stop=stop, model="fake/model", input_tokens=1, output_tokens=1)
        outcome = await Desk(reply).ask()
        assert (outcome["stop"], outcome["answer"], outcome["problems"]) == (stop.value, None, [])

    @pytest.mark.parametrize(
        ("text", "answer", "problem"),
        [
            ('{"amount": 3}', {"amount": 3}, None),
            ('```json\n{"amount": 3}\n```', {"amount": 3}, None),
            ("I would pay 3.", None, "the answer is no JSON"),
            ('{"amount": "3"}', {"amount": "3"}, "/amount"),
            ("", None, "the answer is no JSON"),
        ],
    )
    def test_is_json_that_fits_the_schema(self, text: str, answer: JsonValue, problem: str | None) -> None:
        got, problems = read_answer(SCHEMA, text)
        assert got == answer
        assert (problem or "") in "".join(problems)
        assert bool(problems) is (problem is not None)

    def test_without_a_schema_is_the_text(self) -> None:
        assert read_answer(None, "I would pay 3.") == ("I would pay 3.", [])
