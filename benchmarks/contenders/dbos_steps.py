"""DBOS's run of three reads: a workflow of three steps, called and waited for. Argument: the URL of its system database.

The workflow runs in the calling process, as DBOS has it. Each step's result is a row, committed before the next step begins; so are the
workflow's start and its end. It is the asynchronous of its two interfaces: measured here, the synchronous one takes 1.5 to 2 times as long.
"""

# pyright: basic, reportMissingImports=false
# The package is not installed beside ours, so its types are not known.

import sys

import uvloop
from dbos import DBOS, DBOSConfig

from benchmarks.contenders.turns import take_turns


@DBOS.step()
async def read(number: int) -> int:
    """Return what is there at once."""
    return number


@DBOS.workflow()
async def three_reads(number: int) -> int:
    """Read three times."""
    for _ in range(3):
        number = await read(number)
    return number


async def main(database_url: str) -> None:
    """Serve turns."""
    DBOS(config=DBOSConfig(name="bench", system_database_url=database_url, log_level="ERROR"))
    DBOS.launch()
    await take_turns(lambda: three_reads(1))
    DBOS.destroy()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
