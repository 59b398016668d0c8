"""What one turn of the stepper writes: facts and commands, with ids that replay gives again. Pure."""

import hashlib
from collections.abc import Mapping

from pydantic import JsonValue

from domain import expressions
from domain.context import expression_context
from domain.errors import ExpressionFailed
from domain.facts import Fact
from domain.ids import format_id
from domain.label_flow import LabelFlow
from domain.ledger import Kind
from domain.program import Program, Step
from domain.state import Command, RunContext, State, Tick


class Recorder:
    """Collects the facts and commands of one outcome; `tick` is the shell's word for time and randomness, `steps` the program's by path."""

    def __init__(self, program: Program, run: RunContext, state: State, tick: Tick, *, steps: Mapping[str, Step] | None = None) -> None:
        self.program = program
        self.run = run
        self.state = state
        self.tick = tick
        self.commands: list[Command] = []
        self.labels = LabelFlow(program, run, state, steps or {})

    def fact(
        self,
        kind: Kind,
        *,
        step: str | None = None,
        call: str | None = None,
        principal: str | None = None,
        data: dict[str, JsonValue] | None = None,
    ) -> None:
        """Note a fact; it rides with the next regular activity until it is acknowledged (JOURNAL §1)."""
        self.state.fact_seq += 1
        visit = self.state.steps[step].visit if step in self.state.steps else None
        fact = Fact(
            seq=self.state.fact_seq,
            kind=kind,
            at=self.tick.now,
            epoch=self.state.epoch,
            step=step,
            visit=visit,
            call=call,
            principal=principal,
            data=data or {},
        )
        self.state.unacked.append(fact)
        self.state.last_fact_digest = fact.digest()

    def command(self, command: Command) -> None:
        """Ask the shell for something; it stays pending until its outcome comes."""
        self.commands.append(command)
        self.state.pending[command.id] = command

    def command_id(self, step: str, call: str) -> str:
        """Return a command's id: where it stands in the run."""
        visit = self.state.steps[step].visit if step in self.state.steps else 1
        return f"{step}#{visit}/{call}"

    def new_id(self, prefix: str, name: str) -> str:
        """Return an id that is new in this run and the same on replay."""
        return format_id(prefix, hashlib.sha256(f"{self.tick.entropy}/{prefix}/{name}".encode()).digest()[:16])

    def nonce(self, name: str) -> str:
        """Return 32 hex characters that are new in this run and the same on replay."""
        return hashlib.sha256(f"{self.tick.entropy}/nonce/{name}".encode()).hexdigest()[:32]

    def context(self, template: JsonValue) -> dict[str, JsonValue]:
        """Return what the expressions of a template see now."""
        return expression_context(self.program, self.state, self.run, expressions.steps_read(template))

    def render(self, template: JsonValue) -> JsonValue:
        """Evaluate a template now. Raises: ExpressionFailed."""
        return expressions.render(template, self.context(template))

    def summary(self, template: str | None, otherwise: str) -> str:
        """Return what the Web UI shows of a step; a summary that cannot be computed never stops a run."""
        if template is None:
            return otherwise
        try:
            text = self.render(template)
        except ExpressionFailed:
            return otherwise
        return text if isinstance(text, str) else otherwise

    def holds(self, condition: str) -> bool:
        """Evaluate a condition now. Raises: ExpressionFailed."""
        context = expression_context(self.program, self.state, self.run, expressions.steps_read_by(condition))
        return expressions.condition(condition, context)
