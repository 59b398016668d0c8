"""`execution:` in definitions."""

import pytest

from domain.compile import compile_program
from domain.program import Program
from tests.adapters.definitions.bundles import TOOLS, bundle, draft_of, messages_of, problems_of


def program_of(do: str, *, tail: str = "") -> Program:
    """Compile a definition without mistakes."""
    return compile_program(draft_of(bundle(do, tail=tail)), tools=TOOLS, config={})


class TestExecutionKeyword:
    @pytest.mark.parametrize("word", ["segment", "steps"])
    def test_stands_at_the_top_and_on_steps(self, word: str) -> None:
        program = program_of(f"- a: {{execution: {word}, do: [{{b: {{call: orders.find}}}}]}}\n", tail=f"execution: {word}\n")
        assert (program.execution, program.steps[0].execution) == (word, word)

    def test_left_out_lets_quick_reads_share_activities(self) -> None:
        program = program_of("- a: {call: orders.find}\n")
        assert (program.execution, program.steps[0].execution) == (None, None)
        assert Program.model_validate_json(program.model_dump_json()).execution is None

    def test_says_where_a_wrong_word_stands(self) -> None:
        assert messages_of("- a: {set: 1, execution: step}\n") == ["1:26: `execution` must be one of segment, steps → `steps`"]
        assert messages_of("- a: {call: mail.send, execution: true}\n") == ["1:35: `execution` must be one of segment, steps → "]

    def test_says_so_at_the_top_too(self) -> None:
        (problem,) = problems_of(bundle("- a: {set: 1}\n", tail="execution: local\n"))
        assert (problem.line, problem.column) == (8, 12)
        assert problem.message == "`execution` must be one of segment, steps"
