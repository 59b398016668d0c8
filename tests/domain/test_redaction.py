"""Known secrets are struck out wherever they turn up, in every form in which programs write them (PROOF B15)."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from pydantic import JsonValue

from domain.deltas import StreamKey
from domain.errors import ToolUnavailable
from domain.known_secrets import VALUES_MAX, KnownSecrets
from domain.provider import CompletionReply, Delta, ModelToolCall, StopReason
from domain.redacted_streams import RedactedDeltas, redacted_reply
from domain.redaction import MASK, RedactedStream, Redactor

CANARIES = [f"canary/{n:02d}+{chr(97 + n % 26)}{n * 7919:07d}=Zq_{n * n}" for n in range(40)]

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in a sentence": lambda s: f"the token {s}, as given",
    "capitals": str.upper,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of basic authentication": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "base64 one further": lambda s: base64.b64encode(f"u:{s}:x".encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(f"us{s}".encode()).decode(),
    "base64 in lines": lambda s: base64.encodebytes((s * 3).encode()).decode(),
    "URL": lambda s: quote(s, safe=""),
    "URL with slashes": quote,
    "form": quote_plus,
    "all percent": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "hex in pairs": lambda s: s.encode().hex(":"),
    "JSON": json.dumps,
    "Python bytes": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "unicode escapes": lambda s: "".join(f"\\u{ord(each):04x}" for each in s),
    "backwards": lambda s: s[::-1],
    "letter by letter": " ".join,
    "over lines": lambda s: "\n".join([s[:7], s[7:15], s[15:]]),
    "with zero-width spaces": "\u200b".join,
    "with hyphens": "-".join,
    "as pieces of code": lambda s: f'"{s[:9]}", "{s[9:]}"',
}


def seen(text: str, secret: str) -> bool:
    """Whether a secret can be read out of a text by the means that the forms use."""
    flat = "".join(letter for letter in text.lower() if letter.isalnum() or letter in "+/=%")
    wanted = "".join(letter for letter in secret.lower() if letter.isalnum() or letter in "+/=%")
    raw = secret.encode()
    return any(one in flat for one in (wanted, wanted[::-1], raw.hex(), quote(secret, safe="").lower()))


class TestTexts:
    @pytest.mark.parametrize("form", FORMS)
    def test_hold_no_canary_in_any_form(self, form: str) -> None:
        redactor = Redactor(CANARIES)
        for canary in CANARIES:
            told = redactor.text(FORMS[form](canary))
            assert MASK in told
            assert not seen(told, canary)
            assert canary[8:16] not in told
            assert base64.b64encode(canary.encode()).decode()[4:20] not in told

    @pytest.mark.parametrize("form", FORMS)
    def test_are_the_same_whether_few_secrets_are_known_or_many(self, form: str) -> None:
        """Many are looked for in another way than few."""
        few, many = Redactor(CANARIES[:2]), Redactor([*CANARIES[:2], *(f"another-{number:05d}-of-many" for number in range(300))])
        for canary in CANARIES[:2]:
            text = f"so {FORMS[form](canary)}, and {canary[:9]}"
            assert (few.text(text), few.cut_text(text)) == (many.text(text), many.cut_text(text))

    def test_would_show_it_without_the_redactor(self) -> None:
        assert all(FORMS[form](CANARIES[3]) != Redactor([]).text("") for form in FORMS)
        assert sum(seen(FORMS[form](CANARIES[3]), CANARIES[3]) for form in FORMS) >= 10
        assert Redactor(CANARIES[4:]).text(f"token {CANARIES[3]}") == f"token {CANARIES[3]}"

    def test_without_secrets_stay_as_they_are(self) -> None:
        redactor = Redactor(CANARIES)
        text = "The claim C-1 was paid: 250.00 EUR to DE89 3704 0044 0532 0130 00. " * 50
        assert redactor.text(text) is text or redactor.text(text) == text

    def test_around_a_secret_stay(self) -> None:
        assert Redactor(CANARIES).text(f"a {CANARIES[1]} b {CANARIES[2]} c") == f"a {MASK} b {MASK} c"

    def test_short_words_are_no_secrets(self) -> None:
        assert Redactor(["", "a", "secret1"]).text("a secret1 is here") == "a secret1 is here"


class TestCutTexts:
    @pytest.mark.parametrize("left", [8, 11, 20, 27])
    @pytest.mark.parametrize("form", ["plain", "base64", "URL", "hex", "letter by letter"])
    def test_hold_no_beginning_of_a_canary(self, form: str, left: int) -> None:
        for canary in CANARIES[:10]:
            told = FORMS[form](canary)[: left * (2 if form in ("hex", "letter by letter") else 1)].rstrip()
            assert Redactor(CANARIES).cut_text(f"the server said {told}; try again") == f"the server said {MASK}; try again"

    def test_without_any_stay_as_they_are(self) -> None:
        text = f"a canary of {CANARIES[0][:7]}"
        assert Redactor(CANARIES).cut_text(text) == text


class TestErrors:
    def test_are_of_the_same_kind_and_say_when_to_come_again(self) -> None:
        known = KnownSecrets()
        known.add("acme", CANARIES[0])
        told = known.error("acme", ToolUnavailable(f"busy with {CANARIES[0][:12]}", where="/a", retry_after_s=3))
        assert isinstance(told, ToolUnavailable)
        assert (told.detail, told.where, told.retry_after_s) == (f"busy with {MASK}", "/a", 3)

    def test_of_other_kinds_keep_their_name(self) -> None:
        known = KnownSecrets()
        known.add("acme", CANARIES[0])
        told = known.error("acme", ValueError(f"cannot read {CANARIES[0]}"))
        assert (type(told), str(told)) == (RuntimeError, f"ValueError: cannot read {MASK}")

    def test_without_any_are_the_same(self) -> None:
        known = KnownSecrets()
        known.add("acme", CANARIES[0])
        for tenant, error in (("acme", ToolUnavailable("busy")), ("other", ToolUnavailable(CANARIES[0]))):
            assert known.error(tenant, error) is error


class TestValues:
    def test_hold_none_in_texts_keys_and_over_items(self) -> None:
        canary = CANARIES[5]
        value: JsonValue = {"a": [canary[:8], canary[8:16], {"b": canary[16:]}], canary: 1, "n": 3, "t": None, "ok": "fine"}
        told = Redactor(CANARIES).value(value)
        assert not seen(json.dumps(told), canary)
        assert isinstance(told, dict)
        assert (told["n"], told["t"], told["ok"], told[MASK]) == (3, None, "fine", 1)

    def test_without_any_are_the_same(self) -> None:
        value: JsonValue = {"a": ["x", {"b": 1}]}
        assert Redactor(CANARIES).value(value) is value


class TestStreams:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
    def test_never_tell_a_secret_in_pieces(self, size: int) -> None:
        for canary in CANARIES[:10]:
            text = f"it is {canary} and {' '.join(canary)}, can"
            stream = RedactedStream(Redactor(CANARIES))
            told = [stream.take(text[place : place + size]) for place in range(0, len(text), size)] + [stream.end()]
            assert "".join(told) == f"it is {MASK} and {MASK}, can"

    def test_wait_for_nothing_that_cannot_be_one(self) -> None:
        stream = RedactedStream(Redactor(CANARIES))
        assert [stream.take(piece) for piece in ("Hello ", "world", ". ")] == ["Hello ", "world", ". "]


class Sink:
    """A `DeltaSink` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Delta] = []
        self.closed = False

    def open(self, key: StreamKey) -> "Sink":
        """Return itself."""
        del key
        return self

    async def write(self, delta: Delta) -> None:
        """Keep it."""
        self.told.append(delta)

    async def restart(self) -> None:
        """Forget what was told."""
        self.told.clear()

    async def close(self) -> None:
        """Be closed."""
        self.closed = True


KEY = StreamKey(tenant="acme", run="run_1", step="s", visit=1, call="c", epoch=1, attempt=1)


class TestModelAnswers:
    async def test_reach_watchers_without_secrets_place_by_place(self) -> None:
        known, sink = KnownSecrets(), Sink()
        known.add("acme", CANARIES[0])
        stream = RedactedDeltas(sink, known).open(KEY)
        canary = CANARIES[0]
        for delta in (
            Delta(kind="text", text=f"I saw {canary[:10]}"),
            Delta(kind="text", text=canary[10:] + " ca"),
            Delta(kind="tool_arguments", text="", index=0, name="bank.pay"),
            Delta(kind="tool_arguments", text='{"to": "' + canary[:5], index=0),
            Delta(kind="tool_arguments", text=canary[5:] + '"}', index=0),
            Delta(kind="tool_arguments", text="", index=1, name=f"bank.{canary}"),
        ):
            await stream.write(delta)
        await stream.close()
        texts = {kind: "".join(one.text for one in sink.told if one.kind == kind) for kind in ("text", "tool_arguments")}
        assert texts == {"text": f"I saw {MASK} ca", "tool_arguments": f'{{"to": "{MASK}"}}'}
        assert [one.name for one in sink.told if one.name] == ["bank.pay", f"bank.{MASK}"]
        assert sink.closed

    async def test_of_tenants_without_secrets_pass_as_they_are(self) -> None:
        known, sink = KnownSecrets(), Sink()
        known.add("other", CANARIES[0])
        assert RedactedDeltas(sink, known).open(KEY) is sink

    def test_are_kept_without_secrets(self) -> None:
        known = KnownSecrets()
        known.add("acme", CANARIES[0])
        call = ModelToolCall(vendor_id="v", name="bank.pay", arguments={"to": CANARIES[0]})
        told = {"text": f"it is {CANARIES[0]}", "stop": StopReason.TOOL_CALLS, "model": "m", "input_tokens": 1, "output_tokens": 1}
        reply = CompletionReply.model_validate({**told, "tool_calls": [call]})
        clean = redacted_reply(reply, "acme", known)
        assert (clean.text, clean.tool_calls[0].arguments, clean.stop) == (f"it is {MASK}", {"to": MASK}, StopReason.TOOL_CALLS)
        assert redacted_reply(reply, "other", known) is reply


class TestKnownSecrets:
    def test_are_forgotten_oldest_first_when_there_are_too_many(self) -> None:
        known = KnownSecrets()
        for number in range(VALUES_MAX + 1):
            known.add("acme", f"token-{number:06d}-of-many")
        assert known.text("acme", "token-000000-of-many") == "token-000000-of-many"
        assert known.text("acme", f"token-{VALUES_MAX:06d}-of-many") == MASK

    def test_of_all_tenants_are_struck_out_of_logs(self) -> None:
        known = KnownSecrets()
        for tenant in ("acme", "other"):
            known.add(tenant, f"secret-of-{tenant}")
        assert known.everybodys().text("secret-of-acme secret-of-other") == f"{MASK} {MASK}"
        known.add("third", "secret-of-a-third")
        assert known.everybodys().text("secret-of-acme secret-of-a-third") == f"{MASK} {MASK}"
        assert known.text("acme", "secret-of-other") == "secret-of-other"
