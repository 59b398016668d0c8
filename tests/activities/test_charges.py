"""What an attempt may use at most."""

from datetime import datetime

from pydantic import JsonValue

from activities.charges import input_tokens_max, prompt_charge, tool_charge
from activities.requests import PromptRequest, PromptTool, ToolRequest
from adapters.models.prices import GenaiPriceBook
from domain.budget import Cap
from domain.effects import EffectClass, RetryClass
from domain.estimates import MESSAGE_TOKENS, REQUEST_TOKENS
from domain.stores import ConversationHead
from tests.activities.bench import envelope
from tests.fakes_prices import FakePrices


def request(*append: dict[str, JsonValue], known_tokens: int = 0, model: str = "fake/model", **more: object) -> PromptRequest:
    """Build a prompt."""
    head = ConversationHead(count=0, digest="")
    fields: dict[str, object] = {"model": model, "instructions": "Check.", "head": head, "append": list(append), "max_output_tokens": 100}
    return PromptRequest.model_validate({**fields, "known_tokens": known_tokens, **more})


class PricesByModel(FakePrices):
    """A price of one token for each model."""

    def __init__(self, micros: dict[str, int]) -> None:
        super().__init__()
        self._by_model = micros

    def cost_usd_micros(
        self,
        *,
        model: str,
        input_tokens: int,
        output_tokens: int,
        cached_input_tokens: int = 0,
        cache_write_tokens: int = 0,
        at: datetime | None = None,
    ) -> int | None:
        """Return the cost."""
        del at, cached_input_tokens, cache_write_tokens
        return self._by_model[model] * (input_tokens + output_tokens)


class TestInputTokens:
    def test_are_a_token_for_each_byte_that_is_new(self) -> None:
        asked = request({"kind": "user", "value": "Prüfe"})
        assert input_tokens_max(asked) == REQUEST_TOKENS + len("Check.") + len("Prüfe".encode()) + MESSAGE_TOKENS

    def test_of_a_known_conversation_are_what_the_provider_counted(self) -> None:
        later = request({"kind": "reply", "ref": "r"}, {"kind": "tool", "vendor_id": "x", "ref": "r2", "bytes": 50}, known_tokens=700)
        assert input_tokens_max(later) == 700 + 50 + 2 * MESSAGE_TOKENS

    def test_count_errors_that_the_model_is_told(self) -> None:
        later = request({"kind": "tool", "vendor_id": "x", "ref": None, "error": "no"}, known_tokens=1)
        assert input_tokens_max(later) == 1 + 2 + MESSAGE_TOKENS

    def test_count_tools_and_the_output_schema(self) -> None:
        tool = PromptTool(name="t", description="d", parameters={"type": "object"}, version="1.0.0")
        more = input_tokens_max(request(tools=[tool.model_dump()], output_schema={"type": "object"}))
        assert more > input_tokens_max(request()) + len('{"type": "object"}')


class TestPromptCharge:
    def test_is_everything_read_and_the_longest_answer(self) -> None:
        charge = prompt_charge(envelope(), request(known_tokens=1000), FakePrices(2))
        assert (charge.tokens, charge.usd_micros) == (1100, 2200)

    def test_without_a_price_is_unknown_only_where_tokens_are_bounded(self) -> None:
        unpriced = request(model="fake/unpriced")
        bounded = envelope().model_copy(update={"caps": [Cap(tokens=5000)]})
        assert prompt_charge(envelope(), unpriced, FakePrices()).usd_micros == 0
        assert prompt_charge(bounded, unpriced, FakePrices()).usd_micros is None

    def test_of_a_chain_is_the_dearest_way_through_it(self) -> None:
        prices = PricesByModel({"fake/model": 1, "fake/dear": 5})
        busy = request(known_tokens=0, fallbacks=[{"model": "fake/dear", "on": ["overload"]}])
        declined = request(known_tokens=0, fallbacks=[{"model": "fake/dear", "on": ["refusal"]}])
        used = input_tokens_max(busy) + 100
        assert prompt_charge(envelope(), busy, prices).usd_micros == 5 * used
        assert (prompt_charge(envelope(), declined, prices).usd_micros, prompt_charge(envelope(), declined, prices).tokens) == (
            *(6 * used, 2 * used),
        )

    def test_of_a_chain_takes_known_tokens_for_those_of_another_tokenizer(self) -> None:
        assert input_tokens_max(request(known_tokens=700, fallbacks=[{"model": "fake/dear"}])) == 1400

    def test_takes_everything_for_written_to_the_vendors_cache(self) -> None:
        asked = request(model="anthropic/claude-sonnet-5", known_tokens=1_000_000)
        charge = prompt_charge(envelope(), asked, GenaiPriceBook())
        plain = GenaiPriceBook().cost_usd_micros(model=asked.model, input_tokens=1_000_000, output_tokens=100)
        assert (charge.usd_micros, plain) == (2_501_000, 2_001_000)


class TestRequest:
    def test_of_before_there_were_chains_keeps_its_digest(self) -> None:
        assert not {"fallbacks", "max_call_usd_micros", "temperature", "parallel_tools"} & request().asked().keys()
        assert request(temperature=0.0).asked()["temperature"] == 0.0


class TestToolCharge:
    def test_is_the_declared_cost_and_the_whole_timeout(self) -> None:
        call = ToolRequest(tool="t", version="1.0.0", effect_class=EffectClass.READ, retry_class=RetryClass.IDEMPOTENT, cost_usd_micros=7)
        given = envelope().model_copy(update={"deadline_s": 2.5, "forced": True})
        charge = tool_charge(given, call)
        assert (charge.usd_micros, charge.ms, charge.forced, charge.tokens) == (7, 2500, True, 0)
        assert tool_charge(given, call.model_copy(update={"simulate": True})).usd_micros == 0
