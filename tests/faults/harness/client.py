"""The client of the gateway under test: it retries, and writes down every acknowledgement for the checker."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

Json = dict[str, Any]  # Any: scenarios index into answers whose shape the product's own tests check

PATIENCE_S = 90.0


class Client:
    """Speaks with one role's key. Every answer to a mutation is a line of `requests.jsonl`: the client's own record."""

    def __init__(self, url: str, key: str, log: Path) -> None:
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
        self._http = httpx2.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False, limits=limits
        )
        self._log = log.open("a", encoding="utf-8")
        self.waited: list[float] = []

    async def aclose(self) -> None:
        """Close the connections and the log."""
        await self._http.aclose()
        self._log.close()

    async def post(self, path: str, body: object, *, key: str) -> httpx2.Response:
        """POST once; the answer is written down. Raises: httpx2.HTTPError when none came."""
        answer = await self._http.post(path, json=body, headers={"Idempotency-Key": key})
        line = {"at": time.time(), "path": path, "key": key, "status": answer.status_code, "body": answer.text}
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()
        return answer

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> httpx2.Response:
        """GET once. Raises: httpx2.HTTPError when no answer came."""
        return await self._http.get(path, params=params)

    async def must_post(self, path: str, body: object, *, key: str, patience_s: float = PATIENCE_S) -> Json:
        """POST until it is acknowledged, always under the same key, and return the answer.

        Raises:
            RuntimeError: refused for good, or no acknowledgement came in time.
        """
        started, said = time.monotonic(), "nothing"
        while time.monotonic() - started < patience_s:
            try:
                answer = await self.post(path, body, key=key)
            except httpx2.HTTPError as error:
                said = repr(error)
            else:
                if answer.is_success:
                    self.waited.append(time.monotonic() - started)
                    return answer.json()
                said = f"{answer.status_code} {answer.text}"
                if answer.status_code < 500 and answer.status_code not in (409, 429):
                    break
            await asyncio.sleep(random.uniform(0.05, 0.3))
        raise RuntimeError(f"POST {path} under {key} was not acknowledged: {said}")

    async def outcome(self, run: str, *, patience_s: float = 120.0) -> Json | None:
        """Return a run's outcome as soon as it has ended; None when it has not within that time."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            try:
                answer = await self.get(f"/v1/runs/{run}/result", {"wait": "5"})
            except httpx2.HTTPError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code == 200:
                return answer.json()
            if answer.status_code != 202:
                await asyncio.sleep(0.2)
        return None
