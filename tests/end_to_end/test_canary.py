"""A canary among secrets, through the whole stack: its tool's server and the model tell it in every way; nothing keeps or sends it on."""

import asyncio
import base64
import json
import os
import threading
import zipfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import cast
from urllib.parse import quote

import httpx2
import psycopg
import pytest
from pydantic import JsonValue
from temporalio.client import Client

from adapters.codec.cipher import TenantCipher
from adapters.postgres.pool import Database
from standfast_client import RunEvent, RunFailedError, Standfast
from tests.adapters.postgres.removal_bench import dump, says
from tests.adapters.tools.raw_server import RawServer, answer, serving
from tests.examples.running_service import wait_until
from tests.servers.model_server import Answer, ModelServer, PlannedCall
from tests.servers.stack import LiveStack
from tests.servers.webhook_sink import WebhookSink
from wiring.keys import InstallationKeys
from wiring.storage import build_storage

CANARY = "kanarie/7f3A+Qz91=mUw8Lx0Ys"
PARTS = (CANARY[:12], CANARY[15:])
"""What is searched for: its beginning, which is left where a text was cut in its middle, and its last piece."""
MARK = "lighthouse4471"
"""Stands beside the canary wherever it is told: what is searched holds the mark, or the search finds nothing at all."""
CODED = base64.b64encode(CANARY.encode()).decode()
TOKEN = "CANARY_TOKEN"

AGENT = """\
standfast: 1
name: birdcage
version: 1.0.0
input: {schema: {type: object}}
do:
  - work:
      agent: {model: compatible/any, instructions: {text: "Look around."}, input: "go on", tools: [birdcage.look], max_turns: 4}
output: {said: "${ steps.work.output }"}
"""
CALL = """\
standfast: 1
name: birdcall
version: 1.0.0
input: {schema: {type: object}}
do:
  - look:
      call: birdcage.look
      with: {word: "a"}
output: "${ steps.look.output }"
"""
ECHOES: tuple[bytes, ...] = (
    answer(
        200,
        json.dumps(
            {
                "mark": MARK,
                "plain": CANARY,
                "base64": CODED,
                "basic": base64.b64encode(f"user:{CANARY}".encode()).decode(),
                "url": quote(CANARY, safe=""),
                "hex": CANARY.encode().hex(),
                "pieces": [CANARY[:9], [CANARY[9:15], {PARTS[1]: CANARY}]],
            }
        ),
    ),
    answer(422, json.dumps({"detail": f"{MARK}: {CANARY} is bad, so is {CODED}"})),
    answer(400, json.dumps({"detail": f"{MARK} {'x' * 470} {CANARY}"})),
)
"""What the tool's server says: an answer, an error that the model is told, and one that fails a run and is cut in the canary."""
LOOK = PlannedCall("birdcage.look", {"word": "a"})
TURNS = (
    Answer(
        reasoning=f"{MARK}: they said {CANARY}, that is {CODED}",
        text=f"{MARK}: it is {CANARY}, backwards {CANARY[::-1]}",
        calls=(PlannedCall("birdcage.look", {"word": f"{MARK} {quote(CANARY, safe='')} {CODED}"}), PlannedCall(CANARY, {})),
        pieces=20,
    ),
    Answer(text=f"{MARK}: the token is {CANARY}, as base64 {CODED}.", pieces=20),
)


def tells(stored: bytes, *texts: str) -> bool:
    """Whether bytes hold one of the texts: plain, percent-encoded, as hex or as base64."""
    coded = [quote(text, safe="").encode() for text in texts]
    return any(says(stored, text) for text in texts) or any(form in stored for one in coded for form in (one, one.lower()))


@pytest.fixture
def webhook(stack: LiveStack) -> Generator[WebhookSink]:
    """A webhook for everything that happens."""
    with WebhookSink() as sink, Standfast(stack.dev["gateway_url"], stack.dev["api_keys"]["developer"]) as developer:
        made = developer.webhooks.create(sink.url, ["*", "ledger.entry"])
        try:
            yield sink
        finally:
            developer.webhooks.remove(made.webhook)


def declare(stack: LiveStack, server: RawServer) -> None:
    """Put the canary into a file, name it, and register the tool that is given it with both definitions."""
    place = stack.folder.parent / "secrets" / "default" / "canary"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"{CANARY}\n", encoding="utf-8")
    properties: dict[str, JsonValue] = {"word": {"type": "string"}}
    tool: dict[str, JsonValue] = {
        "name": "birdcage.look",
        "description": "Looks",
        "method": "GET",
        "url": f"{server.url}/look",
        "headers": {"Authorization": f"Bearer secret:{TOKEN}"},
        "query_arguments": {"word": "word"},
        "input": {"type": "object", "properties": properties},
        "effect_class": "read",
    }
    with stack.api("admin") as api:
        named = api.put(f"/v1/secrets/test/{TOKEN}", json={"reference": f"file:{place}"})
        assert named.status_code == 200, named.text
    with Standfast(stack.dev["gateway_url"], stack.dev["api_keys"]["developer"]) as developer:
        developer.tools.register([tool])
        developer.definitions.register({"birdcage.yaml": AGENT})
        developer.definitions.register({"birdcall.yaml": CALL})


def play(stack: LiveStack, models: ModelServer) -> tuple[list[str], list[RunEvent]]:
    """Play a run in which everybody tells the canary, one whose model fails with it, one whose tool does; return what a watcher saw."""
    with Standfast(stack.dev["gateway_url"], stack.dev["api_keys"]["operator"]) as operator:
        there = threading.Event()
        models.plan(Answer(text="I look.", calls=(LOOK,), after=there), *TURNS)
        told = operator.runs.start("birdcage", {})
        events: list[RunEvent] = []
        for event in told.events():
            there.set()
            events.append(event)
        told.result(timeout=100)
        models.plan(Answer(status=400, message=f"{MARK}: {CANARY} is bad"))
        runs = [told.id]
        for definition, code in (("birdcage", "model-failed"), ("birdcall", "tool-failed")):
            failing = operator.runs.start(definition, {})
            with pytest.raises(RunFailedError) as failed:
                failing.result(timeout=100)
            assert failed.value.code == code
            runs.append(failing.id)
    return runs, events


def over_rest(stack: LiveStack, runs: list[str]) -> bytes:
    """Return everything that the gateway shows of the runs: bodies of ledger entries and files of evidence opened."""
    found: list[bytes] = []
    with stack.api("auditor") as auditor, stack.api("operator") as operator:

        def read(path: str, **query: str) -> httpx2.Response:
            response = (operator if path.startswith("/v1/webhooks") else auditor).get(path, params=query)
            assert response.status_code in (200, 204, 404, 409), (path, response.text)  # a proof waits for the seal
            found.append(response.content)
            return response

        for run in runs:
            for view in ("", "/result", "/trace", "/sagas", "/events", "/ledger/verify", "/ledger/proof"):
                read(f"/v1/runs/{run}{view}")
            found += [base64.b64decode(entry["body"]) for entry in read(f"/v1/runs/{run}/ledger").json()["entries"]]
            found += opened(read(f"/v1/runs/{run}/ledger/bundle").content)
            read("/v1/tool-calls", run=run)
            for letter in read("/v1/dead-letters", run=run, state="any").json()["items"]:
                read(f"/v1/dead-letters/{letter['dead_letter']}")
        for hook in read("/v1/webhooks").json()["items"]:
            for delivery in read(f"/v1/webhooks/{hook['webhook']}/deliveries").json()["items"]:
                read(f"/v1/webhooks/{hook['webhook']}/deliveries/{delivery['delivery']}")
    return b"\n".join(found)


def opened(bundle: bytes) -> list[bytes]:
    """Return the files of an archive; none if it is no archive."""
    if not zipfile.is_zipfile(BytesIO(bundle)):
        return []
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def payloads_in(value: JsonValue) -> Iterator[JsonValue]:
    """Give every Temporal payload in a history's JSON."""
    if isinstance(value, dict) and {"metadata", "data"} <= value.keys():
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from payloads_in(each)


async def histories(stack: LiveStack, runs: list[str]) -> bytes:
    """Return the runs' histories in Temporal, as they are and opened by the codec."""
    client = await Client.connect(stack.dev["temporal_address"])
    found: list[bytes] = []
    with stack.api("auditor") as api:
        for run in runs:
            text = (await client.get_workflow_handle(run).fetch_history()).to_json()
            sealed = list(payloads_in(cast("JsonValue", json.loads(text))))
            decoded = api.post("/codec/decode", json={"payloads": sealed})
            assert decoded.status_code == 200, decoded.text
            found += [text.encode(), *(base64.b64decode(each["data"]) for each in decoded.json()["payloads"])]
    return b"\n".join(found)


async def sealed_values(stack: LiveStack, runs: list[str]) -> bytes:
    """Return every payload and message of the runs, opened with the installation's key."""
    with psycopg.connect(stack.dev["database_owner_url"]) as owner:
        refs = owner.execute("SELECT ref FROM payloads WHERE run = ANY(%s)", [runs]).fetchall()
        talks = owner.execute("SELECT DISTINCT run, conversation FROM messages WHERE run = ANY(%s)", [runs]).fetchall()
    async with Database(stack.dev["database_url"], max_size=2) as database:
        storage = build_storage(database, TenantCipher(InstallationKeys(stack.folder / "master.key").master))
        kept = [json.dumps(await storage.payloads.get("default", ref)) for (ref,) in refs]
        for run, conversation in talks:
            kept += [one.model_dump_json() for one in await storage.messages.last("default", run, conversation, limit=100)]
    return "\n".join(kept).encode()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give every file below the state's folder: logs, PostgreSQL's and Temporal's files, objects."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if path.is_file() and not path.is_symlink():
                with suppress(FileNotFoundError):  # PostgreSQL removes files of its own at any time
                    yield str(path.relative_to(folder)), path.read_bytes()


def delivered(sink: WebhookSink, runs: list[str]) -> bool:
    """Whether the sink was told of the end of each run."""
    ends = {
        str(json.loads(came.body).get("run"))
        for came in list(sink.requests)
        if b'"run.succeeded"' in came.body or b'"run.failed"' in came.body
    }
    return ends >= set(runs)


@pytest.mark.timeout(180)
class TestCanary:
    async def test_reaches_its_tool_and_nothing_that_is_kept_shown_or_sent_on(
        self, stack: LiveStack, models: ModelServer, webhook: WebhookSink
    ) -> None:
        asked = len(models.requests)
        async with serving(*ECHOES) as server:
            await asyncio.to_thread(declare, stack, server)
            runs, events = await asyncio.to_thread(play, stack, models)
        assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {CANARY}"}
        await asyncio.to_thread(wait_until, lambda: delivered(webhook, runs), seconds_max=60)
        places = {
            "events": "\n".join(event.model_dump_json() for event in events).encode(),
            "gateway": await asyncio.to_thread(over_rest, stack, runs),
            "histories": await histories(stack, runs),
            "sealed values": await sealed_values(stack, runs),
            "webhooks": b"\n".join(came.body for came in webhook.requests),
            "models": json.dumps([seen.body for seen in models.requests[asked:]]).encode(),
            "arguments of tools": "\n".join(seen.line for seen in server.seen).encode(),
            "worker's log": stack.log("worker").encode(),
        }
        kept = {"database": dump(stack.dev["database_owner_url"], tenant="default"), **dict(files(stack.folder))}
        assert [name for name, stored in {**places, **kept}.items() if tells(stored, *PARTS)] == []
        assert [name for name, stored in places.items() if not tells(stored, MARK)] == ["webhooks"], "webhooks say ids alone"
        with stack.api("operator") as api:
            assert api.get(f"/v1/runs/{runs[0]}/result").json()["result"] == {"said": f"{MARK}: the token is [secret], as base64 [secret]."}
        assert any(event.kind == "delta" for event in events), "the watcher saw no answer on its way"
