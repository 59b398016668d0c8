"""What one agent hands to another with its task: the conversation so far, as a text within a bound. Pure.

As a text and not as messages, since the other agent has other tools, and vendors refuse calls of tools that a request does not declare.
"""

from collections.abc import Sequence

from domain.provider import Message

TRANSCRIPT_BYTES_MAX = 16 * 1024
"""Longest text that is handed over (UTF-8); of a longer conversation the end."""
CUT = "[earlier messages are left out]\n"


def transcript(agent: str, messages: Sequence[Message]) -> str:
    """Return what was said, the last message last."""
    lines: list[str] = []
    room = TRANSCRIPT_BYTES_MAX - len(f"What {agent} was told and did before you took over:\n{CUT}".encode())
    whole = True
    for message in reversed(messages):
        line = _line(agent, message)
        size = len(line.encode()) + 1
        if size > room:
            whole = False
            break
        room -= size
        lines.append(line)
    return f"What {agent} was told and did before you took over:\n{'' if whole else CUT}" + "\n".join(reversed(lines))


def _line(agent: str, message: Message) -> str:
    if message.role == "assistant":
        calls = "".join(f"\n  called {call.name}" for call in message.tool_calls)
        return f"{agent}: {message.text}{calls}"
    who = "a tool answered" if message.role == "tool" else "it was told"
    return f"{who}: {message.text}"
