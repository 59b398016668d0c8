"""What a `listen:` step and the signals of a run do to its state. Pure.

A signal meets the first step that listens for it. One that comes earlier is kept, and one for which there is no room is refused: either is
a fact, so the ledger tells of every signal that reached the run.
"""

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import ExpressionFailed, StandfastError
from domain.ledger import Kind
from domain.program import ListenStep, Step
from domain.projection import project
from domain.recorder import Recorder
from domain.signals import KEPT_BYTES_MAX, KEPT_MAX, KNOWN_MAX, SIGNAL_BYTES_MAX, Signal, fits
from domain.state import Failure, Listen
from domain.step_entry import complete_step, fail_step


def begin_listening(recorder: Recorder, step: ListenStep) -> None:
    """Take a signal that came earlier, or ask the shell to wait for one.

    Raises:
        ExpressionFailed: `correlate` fails, or gives no text.
    """
    state, record = recorder.state, recorder.state.steps[step.path]
    key = None if step.correlate is None else _key(recorder, step)
    kept = next((signal for signal in state.signals if fits(signal, name=step.signal, key=key)), None)
    if kept is not None:
        state.signals.remove(kept)
        hear(recorder, step, kept)
        return
    recorder.command(
        Listen(
            id=recorder.command_id(step.path, "listen"),
            step=step.path,
            visit=record.visit,
            signal=step.signal,
            key=key,
            deadline=record.deadline,
            summary=recorder.summary(step.summary, f"{step.path}: {step.signal}"),
        )
    )


def take_signal(recorder: Recorder, steps: dict[str, Step], signal: Signal) -> None:
    """Give a signal to the step that listens for it, or keep it; the same id again changes nothing."""
    state = recorder.state
    if signal.id in state.known_signals or state.finished:
        return
    state.known_signals = [*state.known_signals, signal.id][-KNOWN_MAX:]
    for command in state.pending.values():
        if isinstance(command, Listen) and fits(signal, name=command.signal, key=command.key):
            del state.pending[command.id]
            hear(recorder, steps[command.step], signal)
            return
    if _room(state.signals, signal):
        state.signals.append(signal)
        recorder.fact(Kind.SIGNAL_KEPT, principal=signal.source or None, data=_said(signal))
    else:
        recorder.fact(Kind.SIGNAL_REFUSED, principal=signal.source or None, data={**_said(signal), "code": "no-room"})


def hear(recorder: Recorder, step: Step, signal: Signal) -> None:
    """Complete a listening step: the payload, as far as expressions read it, is its output."""
    recorder.fact(Kind.SIGNAL_RECEIVED, step=step.path, principal=signal.source or None, data=_said(signal))
    try:
        fields = project(signal.payload, recorder.program.projections.get(step.path, []))
    except StandfastError as error:
        fail_step(recorder, step, Failure(code=error.code, detail=error.detail, step=step.path))
        return
    complete_step(recorder, step, fields=fields, ref=signal.ref, digest=None)


def _key(recorder: Recorder, step: ListenStep) -> str:
    value = recorder.render(step.correlate)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise ExpressionFailed(f"`correlate` of {step.path} gives no text of 1 to 200 characters")
    return value


def _room(kept: list[Signal], signal: Signal) -> bool:
    sizes = [len(canonical_bytes(one.payload)) for one in (*kept, signal)]
    return len(sizes) <= KEPT_MAX and sum(sizes) <= KEPT_BYTES_MAX and sizes[-1] <= SIGNAL_BYTES_MAX


def _said(signal: Signal) -> dict[str, JsonValue]:
    """What the ledger says of a signal: never its payload or key, which may be personal data."""
    return {"signal": signal.name[:63], "id": signal.id[:64], "payload": signal.ref}
