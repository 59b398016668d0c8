"""Run as a module by `temporal_download`: lets the Temporal SDK download the official CLI into the folder given as argument."""

import asyncio
import os
import sys

from temporalio.testing import WorkflowEnvironment

from wiring.embedded.temporal_download import DOWNLOAD_SECONDS_MAX

_START_SECONDS_MAX = 10.0


async def _download(folder: str) -> None:
    async with asyncio.timeout(DOWNLOAD_SECONDS_MAX):
        # The SDK leaves the type of a search attribute open in this signature
        environment = await WorkflowEnvironment.start_local(download_dest_dir=folder)  # pyright: ignore[reportUnknownMemberType]
    async with asyncio.timeout(_START_SECONDS_MAX):
        await environment.shutdown()


if __name__ == "__main__":
    try:
        asyncio.run(_download(sys.argv[1]))
    except (RuntimeError, TimeoutError) as error:
        sys.stdout.write(f"{error or 'timed out'}\n")
    sys.stdout.flush()
    os._exit(0)  # an interpreter that used the SDK may crash at an ordinary exit
