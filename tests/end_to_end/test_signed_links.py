"""Approvals through signed links on the real stack: a mail, the page it links to, the decision, and the run that goes on."""

import json
import os
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.review_browser import Page
from tests.end_to_end.conftest import ASKING
from tests.examples.running_service import wait_until
from tests.servers.smtp_server import SmtpSink, Taken, smtp_server
from tests.servers.stack import LiveStack, live_stack

Json = dict[str, Any]  # Any: tests index into answers whose shape they are there to check

PLUGIN = '''"""A channel plugin: it writes what it would tell into a file."""

from domain.deliveries import AttemptResult


class Paper:
    kind = "paper"

    def __init__(self, context):
        self.messages, self.place = context.messages, context.setting("PAPER_FILE")

    async def send(self, endpoint, delivery):
        message = await self.messages.message(endpoint, delivery)
        if isinstance(message, AttemptResult):
            return message
        with open(self.place, "a", encoding="utf-8") as paper:
            paper.write(f"{message.address} {message.heading} {message.link}\\n")
        return AttemptResult(outcome="sent", detail="written")

    async def aclose(self):
        pass


def build(context):
    return [Paper(context)]
'''


@dataclass
class House:
    """A stack whose mails come into a sink, and whose plugin writes on paper."""

    stack: LiveStack
    sink: SmtpSink
    paper: Path

    def call(self, role: str, method: str, path: str, body: Json | None = None) -> Json:
        """Ask the gateway as a role."""
        with self.stack.api(role) as api:
            answer = api.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def reached(self, role: str, kind: str, address: str) -> str:
        """Say where a role's principal is reached, and return the principal."""
        principal = self.call(role, "GET", "/v1/principal")["id"]
        self.call("admin", "PUT", f"/v1/contacts/{principal}/{kind}", {"address": address})
        return principal

    def start(self, n: int) -> str:
        """Start a run that asks."""
        return self.call("operator", "POST", "/v1/runs", {"definition": "asking", "input": {"n": n}})["run"]

    def mail(self, run: str, to: str, subject: str) -> Taken:
        """Wait for a mail about a run."""

        def found() -> list[Taken]:
            mine = [one for one in self.sink.taken if one.to == [to] and one.mail["subject"].startswith(subject)]
            return [one for one in mine if run in one.part("plain")]

        wait_until(lambda: bool(found()))
        assert len(found()) == 1, "one mail for each reviewer and event"
        return found()[0]

    def outcome(self, run: str) -> Json:
        """Wait for a run's end."""
        return self.call("viewer", "GET", f"/v1/runs/{run}/result?wait=30")


def link_in(mail: Taken) -> str:
    found = re.findall(r"http://\S+/a/\S+", mail.part("plain"))
    assert len(found) == 1
    return found[0]


def decide(link: str, verdict: str, comment: str) -> httpx2.Response:
    """Fill in both forms."""
    with httpx2.Client(trust_env=False, timeout=40) as browser:
        first = Page(browser.get(link).text).fields
        asked = browser.post(link, data={**first, "verdict": verdict, "comment": comment})
        return browser.post(link, data={**Page(asked.text).fields, "sure": "yes"})


@pytest.fixture(scope="module", name="house")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    folder = tmp_path_factory.mktemp("links")
    plugin = folder / "plugin"
    (plugin / "paper_channel-1.0.dist-info").mkdir(parents=True)
    (plugin / "paper_channel.py").write_text(PLUGIN, encoding="utf-8")
    (plugin / "paper_channel-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: paper-channel\nVersion: 1.0\n")
    (plugin / "paper_channel-1.0.dist-info" / "entry_points.txt").write_text("[standfast.channels]\npaper = paper_channel:build\n")
    with smtp_server(SmtpSink()) as sink:
        environment = {
            "PYTHONPATH": os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "STANDFAST_SMTP_HOST": "127.0.0.1",
            "STANDFAST_SMTP_PORT": str(sink.port),
            "STANDFAST_SMTP_SECURITY": "none",
            "STANDFAST_MAIL_FROM": "standfast@example.com",
            "STANDFAST_CHANNEL_SETTINGS": json.dumps({"PAPER_FILE": str(folder / "paper.txt")}),
            "STANDFAST_RELAY_SECONDS": "0.1",
        }
        with live_stack(folder / "state", environment=environment) as stack:
            house = House(stack, sink, folder / "paper.txt")
            house.call("developer", "POST", "/v1/definitions", {"files": {"asking.yaml": ASKING}})
            mails = {"name": "mails", "kind": "email", "role": "claims-approver", "events": ["approval.opened", "approval.decided"]}
            house.call("admin", "POST", "/v1/channels", mails)
            yield house


@pytest.mark.timeout(180)
class TestSignedLink:
    def test_goes_from_a_mail_to_a_decision_and_the_run_goes_on(self, house: House) -> None:
        ada = house.reached("approver", "email", "ada@example.org")
        house.reached("approver_2", "email", "bob@example.org")
        run = house.start(3)
        mails = {name: house.mail(run, f"{name}@example.org", "Decision asked") for name in ("ada", "bob")}
        link = link_in(mails["ada"])
        for _ in range(10):
            assert httpx2.get(link, headers={"User-Agent": "LinkScanner/1.0"}, trust_env=False).status_code == 200
        assert house.call("viewer", "GET", f"/v1/runs/{run}")["status"] == "waiting", "a scanner decides nothing"
        answer = decide(link, "approve", "seen the ticket")
        assert (answer.status_code, "The run has taken your decision" in answer.text) == (200, True)
        assert house.outcome(run)["result"] == {"sum": 8, "by": ada}
        over = httpx2.get(link_in(mails["bob"]), trust_env=False)
        assert (over.status_code, "closed" in over.text) == (410, True)
        assert httpx2.get(link, trust_env=False).status_code == 410
        for name in ("ada", "bob"):
            told = house.mail(run, f"{name}@example.org", "Approved")
            assert "/a/" not in told.part("plain")

    def test_rejects_too_and_a_second_answer_is_a_conflict(self, house: House) -> None:
        house.reached("approver", "email", "ada@example.org")
        run = house.start(4)
        link = link_in(house.mail(run, "ada@example.org", "Decision asked"))
        with httpx2.Client(trust_env=False, timeout=40) as browser:
            fields = Page(browser.get(link).text).fields
            forms = [Page(browser.post(link, data={**fields, "verdict": verdict}).text).fields for verdict in ("reject", "approve")]
            answers = [browser.post(link, data={**form, "sure": "yes"}).status_code for form in (*forms, forms[0])]
        assert answers == [200, 409, 200]
        assert house.outcome(run)["error"]["code"] == "approval-rejected"

    def test_comes_after_a_mail_server_was_busy(self, house: House) -> None:
        house.reached("approver", "email", "ada@example.org")
        before = house.sink.verbs.count("RCPT")
        house.sink.answer("RCPT", *["450 4.2.0 come back"] * 2)
        run = house.start(5)
        link = link_in(house.mail(run, "ada@example.org", "Decision asked"))
        assert house.sink.verbs.count("RCPT") >= before + 3
        assert decide(link, "approve", "").status_code == 200
        assert house.outcome(run)["status"] == "succeeded"

    def test_that_no_mail_server_takes_ends_in_the_dead_letters_and_the_run_waits_on(self, house: House) -> None:
        house.reached("approver", "email", "gone@example.org")
        house.reached("approver_2", "email", "gone@example.org")
        house.sink.answer("RCPT", *["550 5.1.1 no such user"] * 2)
        run = house.start(6)

        def given_up() -> list[Json]:
            found = house.call("operator", "GET", "/v1/dead-letters?kind=delivery&state=open")["items"]
            return [one for one in found if one["run"] == run]

        wait_until(lambda: len(given_up()) == 2)
        assert {one["cause"] for one in given_up()} == {"delivery-refused"}
        assert house.call("viewer", "GET", f"/v1/runs/{run}")["status"] == "waiting"

    def test_reaches_reviewers_by_a_plugins_channel(self, house: House) -> None:
        house.reached("approver", "paper", "desk-7")
        channel = {"name": "paper", "kind": "paper", "role": "claims-approver", "events": ["approval.opened"]}
        house.call("admin", "POST", "/v1/channels", channel)
        run = house.start(7)
        wait_until(house.paper.exists)
        address, heading = house.paper.read_text(encoding="utf-8").split(" ", 1)
        assert (address, heading.startswith("Decision asked: Go on with 8?")) == ("desk-7", True)
        assert decide(heading.split()[-1], "approve", "by paper").status_code == 200
        assert house.outcome(run)["status"] == "succeeded"
