"""What a step costs at the end of a long run beside one at its beginning.

    python -m benchmarks.long_run [--steps 5000] [--runs 3]

A run of 5,000 calls, each of which reads the output of the one before it, once as its definition stands (segments of up to 64 steps) and
once under `execution: steps`, where it continues as new every few hundred steps. Times are the journal's: from one step's intent to
another's, by the database's clock, so everything in between counts. What is compared is the median over all stretches of 64 steps within
the first and the last 128: a stretch holds exactly one change of segments wherever it begins. Compiling the definition, and the start
itself, are not measured. Each run's last steps are compared with the mean of its own first ones and the next run's, which follow at once:
a box that grows slower or faster meanwhile counts on both sides. Goal: a step at the end costs at most 1.2 times as much.
"""

import argparse
import asyncio
import statistics
from datetime import datetime
from typing import NamedTuple

import uvloop

from benchmarks.platform import TENANT, Platform, chain_of, platform
from benchmarks.servers import servers
from benchmarks.step_overhead import judged, load
from domain.program import Program
from domain.segments import CALLS_MAX
from wiring.processes import leave

GOAL = 1.2
STEPS = 5000
WARM_UP = 4 * CALLS_MAX
"""Steps of a run of each kind before the first that counts."""

KINDS = ("standfast", "execution: steps")
EFFECTS = "SELECT step, started_at FROM effects WHERE tenant_id = %s AND run = %s ORDER BY started_at"
EPOCH = "SELECT epoch FROM runs WHERE tenant_id = %s AND run = %s"


class Walked(NamedTuple):
    """One run: when each step began (seconds), and in how many epochs."""

    began: list[float]
    epochs: int

    @property
    def step_ms(self) -> float:
        """The mean of all steps."""
        return 1000 * (self.began[-1] - self.began[0]) / (len(self.began) - 1)

    def around(self, first: int) -> float:
        """Return the milliseconds of a step in the 128 steps from `first` on: the median over their stretches of 64."""
        stretches = (self.began[place + CALLS_MAX] - self.began[place] for place in range(first, first + CALLS_MAX))
        return 1000 * statistics.median(stretches) / CALLS_MAX

    @property
    def first(self) -> float:
        """The milliseconds of a step at the beginning."""
        return self.around(0)

    @property
    def last(self) -> float:
        """The milliseconds of a step at the end."""
        return self.around(len(self.began) - 2 * CALLS_MAX)


def growth(made: list[Walked]) -> float:
    """Return the cost of the last steps as a multiple of that of the first: the median over runs that follow each other."""
    following = [*made[1:], made[-1]]
    return statistics.median(one.last / statistics.mean((one.first, other.first)) for one, other in zip(made, following, strict=True))


async def walk(ours: Platform, program: Program) -> Walked:
    """Make one run.

    Raises:
        AssertionError: its steps are not all there, or not in order.
    """
    start = await ours.accept(program)
    await ours.run(start)
    async with ours.storage.database.tenant(TENANT) as tx:
        effects = await tx.rows(EFFECTS, [TENANT, start.run])
        row = await tx.row(EPOCH, [TENANT, start.run])
    if row is None or [effect["step"] for effect in effects] != [step.path for step in program.steps]:
        raise AssertionError(f"{len(effects)} effects are in the journal, and they are not its {len(program.steps)} steps in order")
    return Walked([_seconds(effect["started_at"]) for effect in effects], int(row["epoch"]))


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def report(kind: str, made: list[Walked]) -> str:
    """Return the lines about one kind of run."""
    steps, epochs, ratio = len(made[0].began), max(one.epochs for one in made), growth(made)
    mean = statistics.median(one.step_ms for one in made)
    places = [0, *(place for place in (500, 1000, 2500) if place + 4 * CALLS_MAX < steps), steps - 2 * CALLS_MAX]
    costs = [f"{place}: {statistics.median(one.around(place) for one in made):.2f}" for place in places]
    return "\n".join(
        (
            f"{kind}: {len(made)} runs of {steps} steps in {epochs} epochs, {mean:.2f} ms a step over the whole run",
            f"  ms a step from step …  {'   '.join(costs)}",
            judged("last / first steps", ratio, f"at most {GOAL}", met=ratio <= GOAL),
        )
    )


async def run(options: argparse.Namespace) -> None:
    """Measure both kinds, one after the other, and print."""
    whole = chain_of(options.steps)
    programs = dict(zip(KINDS, (whole, whole.model_copy(update={"execution": "steps"})), strict=True))
    warm = chain_of(WARM_UP)
    async with servers() as there, platform(there) as ours:
        for kind, program in programs.items():
            await walk(ours, warm.model_copy(update={"execution": program.execution}))
            print(load())
            walks = [await walk(ours, program) for _ in range(options.runs)]
            print(report(kind, walks))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure what a step costs at the end of a long run beside one at its beginning.")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps of a run, at least {2 * CALLS_MAX + 1}")
    parser.add_argument("--runs", type=int, default=3, help="runs of each kind")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
