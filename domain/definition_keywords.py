"""The words of the definition format: keywords, their keys, what comes later, names and durations. Pure."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

KEYWORDS: Final = ("agent", "call", "approve", "task", "listen", "saga", "set", "switch", "do")
"""Step keywords; a step has exactly one."""
STEP_KEYS: Final = ("if", "timeout", "retry", "summary", "output", "execution", "budget", "subject")
"""What every step may say beside its keyword."""
CALL_KEYS: Final = ("with", "compensate", "pivot", "retriable")
"""What only a `call:` step may say."""
TOP_KEYS: Final = (
    *("standfast", "name", "version", "description", "input", "config", "do", "output"),
    *("execution", "budget", "subject", "doubts"),
)
"""Keys of a definition."""
EXECUTIONS: Final = ("segment", "steps")
"""Words of `execution:`."""
MODEL_KEYS: Final = ("fallback", "max_call_usd", "temperature", "parallel_tools", "attachments")
"""Keys of `agent:` that say how its models are asked."""
TEMPERATURE_MAX: Final = 2.0
"""Highest temperature that any vendor takes (OpenAI, Gemini)."""
AGENT_KEYS: Final = ("model", "instructions", "input", "tools", "max_turns", "max_output_tokens", "output", *MODEL_KEYS)
"""Keys of `agent:`."""
USES_KEYS: Final = ("uses", "input", "with", "attachments")
"""Keys of `agent:` where it names a registered agent."""
APPROVE_KEYS: Final = ("title", "binds", "reviewers", "timeout", "on_timeout", "remind", "escalate", "form", "calendar", "questions")
"""Keys of `approve:`."""
QUESTIONS: Final = ("requester", "agent")
"""Who answers a reviewer's question."""
REVIEWER_KEYS: Final = ("role", "quorum", "veto", "any", "all", "four_eyes", "exclude_requester")
"""Keys of `approve.reviewers`: one role, or `any` or `all` of several groups."""
GROUP_KEYS: Final = ("role", "quorum", "veto")
"""Keys of a group of reviewers."""
RUNG_KEYS: Final = ("after", "to", "replace")
"""Keys of a rung of `approve.escalate`."""
TO_KEYS: Final = ("role", "quorum")
"""Keys of a rung's `to`."""
QUORUM_MAX: Final = 100
"""Most persons of one group."""
TASK_KEYS: Final = ("title", "instructions", "assign", "priority", "form", "due", "escalate", "timeout", "on_timeout")
"""Keys of `task:`."""
DOUBTS_KEYS: Final = ("assign", "priority", "due", "escalate")
"""Keys of `doubts:`, the terms of questions about effects."""
ASSIGN_KEYS: Final = ("role", "principal")
"""Keys of `assign:`; one of them."""
LISTEN_KEYS: Final = ("signal", "correlate", "timeout")
"""Keys of `listen:`."""
BUDGET_KEYS: Final = ("usd", "tokens", "seconds")
"""Keys of `budget:`."""
RETRY_KEYS: Final = ("max_attempts", "delay", "backoff", "max_delay")
"""Keys of `retry:`."""
COMPENSATE_KEYS: Final = ("call", "with", "if_unknown", "retry")
"""Keys of `compensate:`."""
PARALLEL_KEYS: Final = ("on_failure", "undo")
"""Keys of `saga:` that only `mode: parallel` gives a meaning."""
SAGA_KEYS: Final = ("steps", "mode", "timeout", *PARALLEL_KEYS)
"""Keys of `saga:` where it is a mapping."""

LATER: Final[dict[str, frozenset[str]]] = {
    "definition": frozenset({"on_error", "policies", "timeout", "retry", "contract", "schedule"}),
    "step": frozenset(
        {
            *("for", "while", "fork", "try", "catch", "wait", "emit", "raise", "run", "graph", "lock", "milestone"),
            *("cancel", "exit", "on_error", "max_in_flight", "max_iterations", "contract"),
        }
    ),
    "agent": frozenset({"memory", "stream"}),
    "approve": frozenset({"channels"}),
    "reviewers": frozenset({"principals"}),
}
"""What the design names and this version does not do, by the place where it would stand."""

NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""Names of definitions and prompts."""
STEP_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
"""Names of steps and switch cases."""
RESERVED: Final = frozenset(
    {
        *("status", "output", "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"),
        *("import", "let", "loop", "package", "namespace", "return", "var", "void", "while"),
    }
)
"""No names of steps: what every step has, and words that CEL cannot select (cel-spec, langdef.md, RESERVED)."""
NAME_CHARS_MAX: Final = 63
"""Longest name of a definition or step."""

_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS_S: Final = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
DURATION_S_MAX: Final = 366 * 86_400.0
"""Longest duration, about a year."""


def duration_s(text: str) -> float | None:
    """Return the seconds of `1h30m`, `250ms` …, or None if it is no duration above 0 and up to 366 days."""
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    seconds = sum(int(number) * unit for number, unit in zip(found.groups(), _UNITS_S, strict=True) if number)
    return seconds if 0 < seconds <= DURATION_S_MAX else None


def near(word: str, known: Iterable[str]) -> str:
    """Return `` or the sentence that names what `word` may have been meant to be."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.6)
    if close:
        return " or ".join(f"`{name}`" for name in close)
    if not names:
        return ""
    return "one of " + ", ".join(f"`{name}`" for name in names[:12]) + (" …" if len(names) > 12 else "")
