"""The weak control of Monty's probes: runs programs in CPython, each in a child, and tells how what each printed ends. A program.

It reads them by name (JSON) from standard input, and writes JSON. Their folder is the current one.
"""

import json
import os
import sys
from typing import NoReturn

TOLD_CHARACTERS = 20


def main() -> None:
    """Run what is asked for."""
    programs: dict[str, str] = json.load(sys.stdin)
    sys.stdout.write(json.dumps({name: _printed(code) for name, code in programs.items()}))


def _printed(code: str) -> str:
    """Return the end of what a program printed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.close(reader)
        _ran(code)
    os.close(writer)
    said = ""
    with os.fdopen(reader, encoding="utf-8") as printed:
        while text := printed.read(65536):
            said = (said + text)[-TOLD_CHARACTERS:]
    os.waitpid(child, 0)
    return said


def _ran(code: str) -> NoReturn:
    """Run a program, and end with it; one that fails has printed what it has printed."""
    try:
        exec(compile(code, "main.py", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102 - that is the control
    finally:
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
