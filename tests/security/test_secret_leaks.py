"""Forty canaries as secrets of a tool that tells them in every way it can: nothing that a run leaves behind holds one (PROOF B15)."""

import base64
import io
import json
import logging
import time
from urllib.parse import quote

import pytest
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError

from activities.prompts import PromptActivities
from activities.tool_calls import ToolActivities
from adapters.secrets.lessons import SecretLessons
from domain.effects import EffectClass
from domain.errors import ModelFailed, StandfastError, ToolFailed, ToolTimedOut, ToolUnavailable
from domain.known_secrets import KnownSecrets
from domain.provider import CompletionReply
from domain.secrets import ToolSecrets, only_declared
from domain.tools import Tool, ToolCall, ToolSpec
from tests.activities.bench import TENANT, Attempts, details, envelope
from tests.activities.test_prompts import Conversations, prompt
from tests.domain.test_redaction import CANARIES, FORMS, seen
from tests.fake_provider import FakeProvider, answered
from tests.fakes_mcp import FakeSecretReferences
from tests.fakes_prices import FakePrices
from tests.fakes_stores import FakeStores
from wiring.logs import redact_logs, set_up_logs

NAMES = [f"CANARY_{number}" for number in range(len(CANARIES))]
WAYS = ("result", "pieces", "key", "failed", "unavailable", "timed out", "broke", "log", "traceback")


class Values:
    """A `SecretStore` of the canaries."""

    async def resolve(self, tenant: str, reference: str) -> str:
        """Return the canary."""
        del tenant
        return CANARIES[int(reference.rpartition("_")[2])]


class Leaky:
    """A tool that asks for one canary, or comes by it elsewhere, and tells it in one way, in one form."""

    def __init__(self, secrets: ToolSecrets) -> None:
        self._secrets = secrets
        self.number, self.way, self.form = 0, "result", "plain"
        self.asks = True

    @property
    def spec(self) -> ToolSpec:
        """A read."""
        return ToolSpec(
            name="bank.pay", version="1.0.0", description="d", input_schema={}, effect_class=EffectClass.READ, secrets=tuple(NAMES)
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Tell it."""
        reveal = only_declared("bank.pay", self.spec.secrets, self._secrets.resolve)
        canary = await reveal(call.tenant, NAMES[self.number]) if self.asks else CANARIES[self.number]
        told = FORMS[self.form](canary)
        errors: dict[str, Exception] = {
            "failed": ToolFailed(f"the server said {told}"),
            "unavailable": ToolUnavailable(f"no answer to {told}"),
            "timed out": ToolTimedOut(f"sent {told}"),
            "broke": ValueError(f"cannot read {told}"),
        }
        if self.way in errors:
            raise errors[self.way]
        if self.way == "log":
            logging.getLogger("tests.leaky").warning("called with %s", told)
        if self.way == "traceback":
            _log_traceback(told)
        shapes: dict[str, JsonValue] = {"key": {told: 1}, "pieces": [canary[:9], [canary[9:15], {"b": canary[15:]}]]}
        return shapes.get(self.way, f"answer: {told}")

    def specs(self) -> list[ToolSpec]:
        """Return the one."""
        return [self.spec]

    def find(self, name: str, version: str) -> Tool:
        """Return itself."""
        del name, version
        return self

    def tool(self, declaration: dict[str, JsonValue]) -> Tool:
        """Return itself."""
        del declaration
        return self


def _log_traceback(told: str) -> None:
    try:
        int(told)
    except ValueError:
        logging.getLogger("tests.leaky").exception("it broke")


class Bench:
    """The activity around the leaky tool, its journal, and the process's log."""

    def __init__(self, *, redacting: bool = True, known: KnownSecrets | None = None) -> None:
        known = known or KnownSecrets()
        self._references = FakeSecretReferences()
        self.tool = Leaky(
            ToolSecrets(references=self._references, store=Values(), environment="test", known=known.add if redacting else _forget)
        )
        stores = FakeStores()
        self._activities = ToolActivities(
            tools=self.tool, declared=self.tool, approvals=stores.approvals, payloads=stores.payloads, secrets=known
        )
        self.log = io.StringIO()
        set_up_logs(style="json", level="INFO")
        handler = logging.StreamHandler(self.log)
        handler.setFormatter(logging.getLogger().handlers[0].formatter)
        logging.getLogger().handlers[:] = [handler]
        redact_logs(known)

    async def left_behind(self, number: int, way: str, form: str) -> str:
        """Call once; return everything that is left: ledger, payloads, receipt, failure with its causes, log."""
        await self._references.put(TENANT, "test", NAMES[number], f"env:CANARY_{number}", by="prn_a")
        self.tool.number, self.tool.way, self.tool.form = number, way, form
        attempts = Attempts(self._activities.call_tool)
        left: list[str] = []
        try:
            left.append((await attempts.attempt(envelope(project=[""]))).model_dump_json())
        except ApplicationError as error:
            left += [details(error).model_dump_json(), *_causes(error)]
        left += [repr(entry) for entry in await attempts.fake.entries()]
        left += [json.dumps(payload) for payload in attempts.fake.payloads.values()]
        left.append(self.log.getvalue())
        return "\n".join(left)


def _forget(_tenant: str, _value: str) -> None:
    """Plant the bug: nobody is told which values are secrets."""


def _causes(error: BaseException) -> list[str]:
    told = [str(error)]
    while error.__cause__ is not None:
        error = error.__cause__
        told += [str(error), str(getattr(error, "detail", ""))]
    return told


def _hits(text: str, canary: str) -> bool:
    coded = base64.b64encode(canary.encode()).decode()[4:-4]
    return seen(text, canary) or coded in text or quote(canary, safe="") in text or canary.encode().hex() in text.lower()


@pytest.fixture(autouse=True)
def _own_logs() -> object:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class TestLeaks:
    @pytest.mark.parametrize("way", WAYS)
    async def test_leave_no_canary_behind(self, way: str) -> None:
        bench = Bench()
        forms = list(FORMS)
        for number, canary in enumerate(CANARIES):
            left = await bench.left_behind(number, way, forms[number % len(forms)])
            assert not _hits(left, canary), (way, forms[number % len(forms)])
        assert not any(_hits(bench.log.getvalue(), canary) for canary in CANARIES)

    @pytest.mark.parametrize("way", WAYS)
    async def test_that_are_planted_are_found(self, way: str) -> None:
        left = await Bench(redacting=False).left_behind(0, way, "plain")
        assert _hits(left.replace('", "', "").replace('", ["', ""), CANARIES[0]) or way == "pieces"
        if way == "pieces":
            assert CANARIES[0][:9] in left

    async def test_of_values_that_another_tenant_has_are_none(self) -> None:
        known = KnownSecrets()
        known.add("other", CANARIES[0])
        assert known.value(TENANT, {"a": CANARIES[0]}) == {"a": CANARIES[0]}

    def test_have_all_errors_in_the_tree(self) -> None:
        assert all(issubclass(kind, StandfastError) for kind in (ToolFailed, ToolUnavailable, ToolTimedOut))


class Elsewhere:
    """A worker that gave none of the secrets to a tool: a model, and a tool without secrets, come by one in another way."""

    def __init__(self, *, learning: bool = True) -> None:
        self.references, self._known = FakeSecretReferences(), KnownSecrets()
        secrets = ToolSecrets(references=self.references, store=Values(), environment="test", known=self._known.add)
        if learning:
            self._known.learn_by(SecretLessons(secrets.learn, now_s=time.monotonic).ready)

    async def asked(self, answer: CompletionReply | StandfastError) -> str:
        """Ask a model; return what is left of its answer or error."""
        model = PromptActivities(
            provider=FakeProvider(answer),
            prices=FakePrices(1),
            messages=Conversations(),
            payloads=FakeStores().payloads,
            secrets=self._known,
        )
        try:
            return (await model.complete_prompt(prompt({"kind": "user", "value": "?"}))).model_dump_json()
        except StandfastError as error:
            return "\n".join(_causes(error))

    async def called(self, way: str) -> str:
        """Call the tool; return what is left."""
        bench = Bench(known=self._known)
        bench.tool.asks = False
        return await bench.left_behind(0, way, "plain")


class TestOtherWorkers:
    @pytest.mark.parametrize("lesson", ["learned", "planted: never learned"])
    async def test_strike_out_what_they_never_gave_to_a_tool(self, lesson: str) -> None:
        learning = lesson == "learned"
        worker = Elsewhere(learning=learning)
        await worker.references.put(TENANT, "test", NAMES[0], "env:CANARY_0", by="prn_a")
        left = [
            await worker.asked(answered(f"it is {CANARIES[0]}")),
            await worker.asked(ModelFailed(f"no such key: {CANARIES[0]}")),
            await worker.called("result"),
            await worker.called("failed"),
            await worker.called("broke"),
        ]
        assert [_hits(each, CANARIES[0]) for each in left] == [not learning] * len(left)
