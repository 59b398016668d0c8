"""A run's events as text that grows: what a person sees while a model writes. Pure: nothing is written here."""

from dataclasses import dataclass, field

from standfast_client import RunEvent

_TOLD = {
    "gateway:run:accepted": "accepted",
    "workflow:run:started": "started",
    "workflow:step:entered": "step {step}",
    "workflow:step:failed": "step {step} failed",
    "agent:tool:requested": "{step}: {subject}",
    "agent:tool:failed": "{step}: the tool failed ({error})",
    "agent:model:failed": "{step}: the model failed ({error})",
    "workflow:approval:opened": "{step}: waits for an approval",
    "human:approval:decided": "{step}: decided",
    "workflow:task:opened": "{step}: waits for a person",
    "workflow:saga:compensating": "{step}: undoes what was done",
    "workflow:run:finished": "finished",
}
"""Entries that a follower is told of, in its own words; the others pass in silence."""


def plain(text: str) -> str:
    """Return a model's text without control characters, which could command the terminal; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c in "\r\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


@dataclass
class _Call:
    """What was shown of one model call: its answer's text, and what was written last."""

    text: str = ""
    last: tuple[str, int] = ("", 0)


@dataclass
class Screen:
    """Turns events into what is to be written next; `line` says whether a line is open, `speaks` which call wrote on it."""

    calls: dict[tuple[str, int, str], _Call] = field(default_factory=dict[tuple[str, int, str], _Call])
    line: bool = False
    speaks: tuple[str, int, str] | None = None

    def show(self, event: RunEvent) -> str:
        """Return what an event adds."""
        place = (event.step, event.visit, event.call)
        match event.kind:
            case "delta":
                return self._delta(place, event)
            case "reset":
                self.calls.pop(place, None)
                return self._note(f"{event.step}: attempt {event.attempt} was given up; what it wrote is void")
            case "end":
                return self._note(f"the run {event.status}")
            case _:
                return self._entry(place, event)

    def _delta(self, place: tuple[str, int, str], event: RunEvent) -> str:
        call = self.calls.setdefault(place, _Call())
        voice = (event.what, event.index if event.what == "tool_arguments" else 0)
        head = ""
        if self.speaks != place or call.last != voice or not self.line:
            called = f" calls {event.name}" if event.name else ""
            says = {"text": "", "reasoning": " thinks", "tool_arguments": called or " calls a tool"}[event.what]
            head = f"{self._broken()}{plain(event.step)}{plain(says)}: "
        self.speaks, self.line, call.last = place, True, voice
        call.text += (event.text or "") if event.what == "text" else ""
        return head + plain(event.text or "")

    def _entry(self, place: tuple[str, int, str], event: RunEvent) -> str:
        if event.what == "agent:model:answered":
            return self._settled(place, event)
        told = _TOLD.get(event.what)
        if told is None:
            return ""
        return self._note(told.format(step=event.step, subject=event.data.get("subject", ""), error=event.data.get("error", "")))

    def _settled(self, place: tuple[str, int, str], event: RunEvent) -> str:
        """The settled text: what is missing of it when the deltas began it, all of it when they did not."""
        shown, text = self.calls.pop(place, _Call()).text, event.text or ""
        if text == shown:
            return self._broken()
        if shown and text.startswith(shown) and self.speaks == place and self.line:
            return plain(text[len(shown) :]) + self._broken()
        return f"{self._broken()}{plain(event.step)}: {plain(text)}\n"

    def _note(self, text: str) -> str:
        return f"{self._broken()}· {plain(text)}\n"

    def _broken(self) -> str:
        was, self.line, self.speaks = self.line, False, None
        return "\n" if was else ""
