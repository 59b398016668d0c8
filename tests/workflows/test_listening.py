"""Steps that listen, on a real server: signals early and late, twice, over continue-as-new, and what the ledger says of them."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import JsonValue

from domain.errors import ToolFailed
from domain.hook_stores import HeldRequest, NewHookRequest
from domain.hooks import Hook, PlannedSignal, SignalAction
from domain.ids import format_id
from domain.program import ListenStep
from domain.runs import RunStatus
from domain.signals import Signal, listener_hash
from tests.domain.programs import call, program
from tests.workflows.bench import Bench, Gate, Line, LiveRun, ScriptedTool, until
from workflows.messages import DELIVER_SIGNAL

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT = "2026-01-05T09:00:00.000000Z"


def listen(path: str, **more: object) -> ListenStep:
    """Build a step that listens for a payment."""
    return ListenStep.model_validate({"path": path, "signal": "paid", **more})


async def tell(run: LiveRun, payload: JsonValue = None, *, id: str = "s-1", key: str | None = None) -> None:  # noqa: A002 - the field's name
    """Send a signal as the gateway does."""
    await run.handle.signal(DELIVER_SIGNAL, Signal(id=id, name="paid", payload=payload, key=key, source="hok_1"))


async def waits(run: LiveRun, text: str) -> None:
    """Wait until the run's row says what it waits for."""

    async def look() -> bool:
        row = await run.row()
        return row.status is RunStatus.WAITING and (row.waits_for or "").endswith(text)

    await until(look)


class TestListening:
    async def test_goes_on_with_the_payload(self, bench: Bench) -> None:
        given = program(listen("wait"), output="${ steps.wait.output.sum }", projections={"wait": ["sum"]})
        async with bench.running(given) as run:
            await waits(run, "wait: the signal paid")
            await tell(run, {"sum": 5})
            assert (await run.handle.result()).output == 5
            kinds = await run.kinds()
            assert kinds[-4:] == [
                "workflow:step:entered",
                "workflow:signal:received",
                "workflow:step:completed",
                "workflow:run:finished",
            ]

    async def test_counts_a_signal_once(self, bench: Bench) -> None:
        given = program(listen("one"), listen("two"), output="${ steps.two.output }", projections={"two": [""]})
        async with bench.running(given) as run:
            await asyncio.gather(*(tell(run, 1) for _ in range(4)))
            await waits(run, "two: the signal paid")
            await tell(run, 2, id="s-2")
            assert (await run.handle.result()).output == 2

    async def test_keeps_an_early_signal_over_continue_as_new(self, bench: Bench) -> None:
        steps = [call(f"c{n}") for n in range(6)]
        given = program(*steps, listen("wait"), output="${ steps.wait.output }", projections={"wait": [""]})
        gate = Gate({})
        script: list[Line] = [gate, *({} for _ in range(5))]
        async with bench.running(given, ScriptedTool("bank.pay", *script), history_max=14) as run:
            await gate.reached.wait()
            await tell(run, "early")
            gate.opened.set()
            assert (await run.handle.result()).output == "early"
            assert ((await run.row()).epoch or 0) > 1
            kinds = await run.kinds()
            assert (kinds.count("workflow:signal:kept"), kinds.count("workflow:signal:received")) == (1, 1)

    async def test_listens_on_after_continue_as_new(self, bench: Bench) -> None:
        steps = [call(f"c{n}") for n in range(6)]
        given = program(*steps, listen("wait", correlate="c-1"), output="${ steps.wait.output }", projections={"wait": [""]})
        async with bench.running(given, ScriptedTool("bank.pay"), history_max=14) as run:
            await waits(run, "wait: the signal paid")
            await tell(run, "other", id="s-0", key="c-2")
            await tell(run, "mine", key="c-1")
            assert (await run.handle.result()).output == "mine"

    async def test_fails_when_its_time_is_over(self, bench: Bench) -> None:
        async with bench.running(program(listen("wait", timeout_s=3600, correlate="c-1"))) as run:
            await waits(run, "wait: the signal paid")
            await run.pass_time(timedelta(hours=2))
            assert await run.failure() == "step-timed-out"

    async def test_ends_with_a_cancelled_run(self, bench: Bench) -> None:
        async with bench.running(program(listen("wait", correlate="c-1"))) as run:
            await waits(run, "wait: the signal paid")
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert (await run.row()).status is RunStatus.CANCELLED

    async def test_survives_its_worker(self, bench: Bench) -> None:
        given = program(listen("wait"), output="${ steps.wait.output }", projections={"wait": [""]})
        async with bench.worker():
            run = await bench.start(given)
            await waits(run, "wait: the signal paid")
        await tell(run, 7)
        async with bench.worker():
            assert (await run.handle.result()).output == 7


class TestListeners:
    async def test_are_found_while_a_run_listens_and_no_longer(self, bench: Bench) -> None:
        store, tenant = bench.storage.hook_requests, bench.tenant
        hook = await _hook(bench)
        hashed = listener_hash(bench.keys.attestation, tenant=tenant, signal="paid", key="c-1")
        given = program(listen("wait", correlate="c-1"), listen("other", correlate="c-2"))
        async with bench.running(given) as run:
            await waits(run, "wait: the signal paid")
            await _waiting(bench, hook, "w-1")
            assert (await store.aim(tenant, hook, "w-1", hashed=hashed, at=AT)).run == run.run
            await tell(run, key="c-1")
            await waits(run, "other: the signal paid")
            await _waiting(bench, hook, "w-2")
            assert (await store.aim(tenant, hook, "w-2", hashed=hashed, at=AT)).state == "waiting"
            await tell(run, id="s-2", key="c-2")
            await run.handle.result()


async def _hook(bench: Bench) -> str:
    hook = Hook(
        tenant=bench.tenant,
        hook=format_id("hok", bench.tenant.encode().ljust(16, b"0")[-16:]),
        name="bank",
        action=SignalAction(signal="paid", correlate="${ input.body.claim }"),
        scheme="github",
        created_by="prn_a",
        created_at=AT,
        updated_at=AT,
    )
    return (await bench.storage.hooks.create(hook, secret_id="s1", secret="0123456789abcdef")).hook


async def _waiting(bench: Bench, hook: str, webhook_id: str) -> None:
    signal = PlannedSignal(signal="paid", payload=1, key="c-1")
    request = NewHookRequest(
        tenant=bench.tenant,
        hook=hook,
        source="bank",
        webhook_id=webhook_id,
        content=webhook_id,
        first="waiting",
        correlation_id="corr",
        at=AT,
        held=HeldRequest(signal=signal),
    )
    await bench.storage.hook_requests.accept(request)


class TestPast:
    async def test_knows_which_signal_a_step_took_and_which_is_kept(self, bench: Bench) -> None:
        """A redrive goes on from this, long after Temporal has forgotten the history."""
        store, tenant, hook = bench.storage.hook_requests, bench.tenant, await _hook(bench)
        hashed = listener_hash(bench.keys.attestation, tenant=tenant, signal="paid", key="c-1")
        given = program(listen("wait", correlate="c-1"), call("pay"), listen("more", correlate="c-2"))
        failing = ScriptedTool("bank.pay", ToolFailed("no"))
        async with bench.running(given, failing) as run:
            await waits(run, "wait: the signal paid")
            await _waiting(bench, hook, "w-1")
            await store.aim(tenant, hook, "w-1", hashed=hashed, at=AT)
            held = await store.held(tenant, hook, "w-1")
            assert held is not None
            assert held.signal is not None
            await tell(run, "early", id="s-2", key="c-2")
            signal = Signal(id="s-1", name="paid", payload=1, key="c-1", ref=held.signal.ref, source=hook)
            await run.handle.signal(DELIVER_SIGNAL, signal)
            assert await run.failure() == "tool-failed"
            past = await bench.storage.lineage.past(tenant, run.run)
            [kept, taken] = sorted(past.signals, key=lambda known: known.step or "")
            assert (taken.step, taken.visit, taken.signal) == ("wait", 1, signal)
            assert (kept.step, kept.signal.id) == (None, "s-2")
            assert [one.id for one in past.kept_signals()] == ["s-2"]
