"""Pages of signed links: what a reviewer sees, what decides, and that nothing else does."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from domain.errors import Unavailable
from domain.principals import Role
from domain.runs import ApprovalClosure, Projection, RunStatus
from tests.api.gateway import REVIEWER_ROLE, Gateway, wait_for
from tests.api.review_browser import Page, Reviewer, asked, decisions, reviewer, show


class TestPage:
    def test_shows_what_will_happen_argument_by_argument(self, house: Gateway) -> None:
        text = Page(show(house, {"amount": 250, "to": {"name": "Zoë"}}, title="Pay 250 to Zoë?").get().text).text
        for words in ("Pay 250 to Zoë?", "bank.pay", "version 1.0.0", "settle.pay", "amount 250", 'to.name "Zoë"', "Cost so far $0.00"):
            assert words in text
        assert "Requested by operator" in text
        assert "You decide as approver" in text
        assert "UTC" in text

    def test_marks_what_nobody_approves(self, house: Gateway) -> None:
        text = Page(show(house, {"amount": 250}, unbound=("settle.pay.reservation",)).get().text).text
        assert "reservation Not bound: not known yet" in text

    def test_escapes_everything(self, house: Gateway) -> None:
        html = show(house, {'"><script>alert(1)</script>': "<img src=x onerror=alert(1)>"}, title="<b>Pay</b> {{ 7*7 }}").get().text
        assert not Page(html).all("script")
        assert not Page(html).all("img")
        assert not Page(html).all("b")
        assert "{{ 7*7 }}" in html

    def test_names_characters_that_hide_or_turn_others_around(self, house: Gateway) -> None:
        html = show(house, {"to": "ada\u202egro.live\u202c@bank.example", "memo": "a\nb\u200bc"}, title="Pay\u2066 10?").get().text
        assert not set("\u202e\u202c\u2066\u200b") & set(html)
        marked = [unescape(found) for found in re.findall(r"<mark>(.*?)</mark>", html)]
        assert "[U+202E RIGHT-TO-LEFT OVERRIDE]" in marked
        assert "[U+2066 LEFT-TO-RIGHT ISOLATE]" in marked
        assert 'memo "a\\nb[U+200B ZERO WIDTH SPACE]c"' in Page(html).text

    def test_stays_out_of_caches_indexes_frames_and_referrers(self, house: Gateway) -> None:
        for answer in (asked(house).get(), Reviewer(house, "nonsense").get(), asked(house).answer()):
            headers = answer.headers
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-robots-tag"].startswith("noindex")
            assert headers["x-content-type-options"] == "nosniff"
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert "form-action 'self'" in policy
            assert not Page(answer.text).all("script")
            assert not Page(answer.text).all("link")

    def test_names_every_field_and_says_its_language(self, house: Gateway) -> None:
        for html in (asked(house).get().text, asked(house).answer().text):
            page = Page(html)
            assert page.all("html") == [{"lang": "en"}]
            assert len(page.all("h1")) == 1
            labelled = {one["for"] for one in page.all("label")}
            wanted = [one for one in (*page.all("input"), *page.all("textarea")) if one.get("type") != "hidden"]
            assert wanted
            assert {one["id"] for one in wanted} == labelled
            assert all(one.get("scope") for one in page.all("th"))

    def test_chooses_no_answer_beforehand(self, house: Gateway) -> None:
        page = Page(asked(house).get().text)
        assert not [one for one in page.all("input") if "checked" in one]


class TestDeciding:
    @pytest.mark.parametrize("verdict", ["approve", "reject"])
    def test_takes_two_forms_and_is_the_reviewers_own(self, house: Gateway, verdict: str) -> None:
        person = asked(house)
        answer = person.decide(verdict, "seen the ticket\r\nand the bill")
        assert (answer.status_code, "The run has taken your decision" in Page(answer.text).text) == (200, True)
        (row,) = decisions(house)
        assert (row.verdict, row.principal, row.state) == (verdict, house.principals["approver"].id, "accepted")
        assert row.comment == "seen the ticket\nand the bill"

    def test_is_not_done_by_the_first_form(self, house: Gateway) -> None:
        answer = asked(house).answer("approve", "yes")
        assert (answer.status_code, "Please confirm" in answer.text) == (200, True)
        assert decisions(house) == []

    def test_wants_an_answer_and_says_so_in_words(self, house: Gateway) -> None:
        answer = asked(house).answer("")
        assert answer.status_code == 422
        assert "Choose whether to approve or to reject." in Page(answer.text).text
        assert Page(answer.text).all("a")[0]["href"] == "#approve"

    def test_wants_the_box_ticked(self, house: Gateway) -> None:
        person = asked(house)
        answer = person.post(Page(person.answer().text).fields)
        assert (answer.status_code, "Tick the box" in answer.text) == (422, True)
        assert decisions(house) == []
        assert person.confirm(answer).status_code == 200

    def test_refuses_a_comment_that_is_too_long_and_keeps_it(self, house: Gateway) -> None:
        answer = asked(house).answer("reject", "x" * 2001)
        assert answer.status_code == 422
        assert "x" * 2001 in answer.text
        assert "Shorten the comment to 2000 characters." in Page(answer.text).text
        assert asked(house).answer("reject", "x" * 2000).status_code == 200

    def test_of_an_approval_with_a_form_can_only_be_to_reject(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        row = house.stores.database.approvals["default", approval]
        formed = row.projection.model_copy(update={"form": {"type": "object", "required": ["reason"]}})
        house.stores.database.approvals["default", approval] = row.model_copy(update={"projection": formed})
        answer = reviewer(house, approval).answer("approve")
        assert (answer.status_code, "approve it in the inbox" in answer.text) == (422, True)
        assert reviewer(house, approval).decide("reject").status_code == 200

    def test_that_no_worker_takes_now_is_stored(self, house: Gateway) -> None:
        person = asked(house)
        asked_again = person.answer()
        house.temporal.silent = True
        answer = person.confirm(asked_again)
        assert (answer.status_code, "being delivered" in answer.text) == (202, True)
        assert [row.state for row in decisions(house)] == ["stored"]


class TestPrograms:
    def test_that_open_a_link_ten_times_decide_nothing_and_spoil_nothing(self, house: Gateway) -> None:
        person = asked(house)
        for purpose in ("", "prefetch", "preview"):
            for _ in range(4):
                assert person.get(**{"Purpose": purpose, "Sec-Purpose": purpose, "User-Agent": "LinkScanner/1.0"}).status_code == 200
        assert decisions(house) == []
        assert person.decide().status_code == 200

    @pytest.mark.parametrize("query", ["verdict=approve", "verdict=approve&sure=yes&stage=confirm"])
    def test_decide_nothing_by_a_query(self, house: Gateway, query: str) -> None:
        person = asked(house)
        assert house.client(None).get(f"/a/{person.token}?{query}").status_code == 200
        assert decisions(house) == []

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
    def test_decide_nothing_by_another_method(self, house: Gateway, method: str) -> None:
        answer = house.client(None).request(method, f"/a/{asked(house).token}")
        assert answer.status_code == 405
        assert decisions(house) == []

    def test_that_send_every_form_back_as_it_came_decide_nothing(self, house: Gateway) -> None:
        person = asked(house)
        answer = person.get()
        for _ in range(5):
            page = Page(answer.text)
            every = {one.get("name", ""): one.get("value", "") for one in (*page.all("button"), *page.all("textarea"))}
            answer = person.post(page.fields | {name: value for name, value in every.items() if name})
        assert decisions(house) == []

    def test_that_post_what_they_made_up_decide_nothing(self, house: Gateway) -> None:
        person = asked(house)
        for nonce in ("", "0" * 64, Page(person.get().text).fields["nonce"]):
            form = {"stage": "confirm", "nonce": nonce, "verdict": "approve", "comment": "", "sure": "yes"}
            answer = person.post(form)
            assert (answer.status_code, "not the page's own" in unescape(answer.text)) == (403, True)
        assert decisions(house) == []

    def test_cannot_turn_an_answer_around_on_its_second_form(self, house: Gateway) -> None:
        person = asked(house)
        fields = Page(person.answer("reject", "no").text).fields
        for change in ({"verdict": "approve"}, {"comment": "yes"}):
            assert person.post({**fields, **change, "sure": "yes"}).status_code == 403
        assert decisions(house) == []

    def test_cannot_use_the_form_of_another_link(self, house: Gateway) -> None:
        first, second = asked(house), asked(house)
        assert second.post({**Page(first.answer().text).fields, "sure": "yes"}).status_code == 403
        assert decisions(house) == []

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"{}", "application/json", 400),
            (b"", "", 400),
            (b"a=%ff", "application/x-www-form-urlencoded", 400),
            (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
            (b"nonce=1&nonce=2", "application/x-www-form-urlencoded", 400),
            (b"comment=%00", "application/x-www-form-urlencoded", 400),
            (b"x=1" * 30_000, "application/x-www-form-urlencoded", 413),
            (b"&".join(b"f%d=1" % n for n in range(50)), "application/x-www-form-urlencoded", 400),
        ],
    )
    def test_get_a_page_for_a_body_that_is_no_form(self, house: Gateway, content: bytes, kind: str, status: int) -> None:
        answer = house.client(None).post(f"/a/{asked(house).token}", content=content, headers={"Content-Type": kind})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


class TestSecondUse:
    def test_of_the_same_answer_is_the_same_decision(self, house: Gateway) -> None:
        person = asked(house)
        form = person.answer()
        assert [person.confirm(form).status_code for _ in range(3)] == [200, 200, 200]
        assert len(decisions(house)) == 1

    def test_of_another_answer_is_a_conflict(self, house: Gateway) -> None:
        person = asked(house)
        no, yes = person.answer("reject"), person.answer("approve")
        assert person.confirm(yes).status_code == 200
        answer = person.confirm(no)
        assert (answer.status_code, "works once" in answer.text) == (409, True)
        assert [row.verdict for row in decisions(house)] == ["approve"]

    def test_shows_what_was_said(self, house: Gateway) -> None:
        person = asked(house)
        person.decide("reject")
        answer = person.get()
        assert (answer.status_code, "You rejected it through this link" in Page(answer.text).text) == (410, True)

    def test_of_the_link_of_another_message_is_a_conflict(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        first, second = reviewer(house, approval), reviewer(house, approval)
        form = second.answer()
        assert first.decide().status_code == 200
        assert second.confirm(form).status_code == 409
        assert [row.state for row in decisions(house)] == ["accepted", "refused"]

    def test_is_not_the_first_when_the_decision_was_not_stored(self, house: Gateway) -> None:
        person = asked(house)
        form = person.answer()
        wait_for(house.stores.keys.set_reviewer_roles("default", house.principals["approver"].id, ()))
        assert person.confirm(form).status_code == 403
        wait_for(house.stores.keys.set_reviewer_roles("default", house.principals["approver"].id, (REVIEWER_ROLE,)))
        assert person.confirm(form).status_code == 200, "a link is used up inside the decision, not before"

    def test_of_a_stored_decision_waits_for_it(self, house: Gateway) -> None:
        person = asked(house)
        form = person.answer()
        house.temporal.down = Unavailable("Temporal does not answer")
        assert person.confirm(form).status_code == 202
        house.temporal.down = None
        assert person.confirm(form).status_code == 200
        assert len(decisions(house)) == 1


class TestLinkThatDoesNotHold:
    def test_is_refused_when_it_expired(self, house: Gateway) -> None:
        person = asked(house)
        form = person.answer()
        house.stores.database.pass_time(seconds=3601)
        for answer in (person.get(), person.confirm(form)):
            assert (answer.status_code, "expired" in answer.text) == (410, True)
        assert decisions(house) == []

    def test_is_refused_when_its_key_was_revoked(self, house: Gateway) -> None:
        person = asked(house)
        wait_for(house.stores.channels.rotate_links("default", revoke=False))
        assert person.get().status_code == 200
        wait_for(house.stores.channels.rotate_links("default", revoke=True))
        assert (person.get().status_code, "revoked" in person.get().text) == (410, True)

    def test_is_refused_when_the_arguments_were_amended(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        person = reviewer(house, approval)
        form = person.answer()
        row = house.stores.database.approvals["default", approval]
        amended = row.projection.model_copy(update={"digest": "cd" * 32})
        house.stores.database.approvals["default", approval] = row.model_copy(update={"projection": amended})
        house.temporal.approvals[approval] = house.temporal.approvals[approval].model_copy(update={"digest": "cd" * 32})
        assert (person.get().status_code, "was changed" in person.get().text) == (409, True)
        assert person.confirm(form).status_code == 422
        assert decisions(house) == []

    def test_decides_nothing_when_only_the_run_knows_of_the_amendment(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        form = reviewer(house, approval).answer()
        person = reviewer(house, approval)
        form = person.answer()
        house.temporal.approvals[approval] = house.temporal.approvals[approval].model_copy(update={"digest": "cd" * 32})
        assert person.confirm(form).status_code == 422
        assert [row.state for row in decisions(house)] == ["refused"]

    @pytest.mark.parametrize("state", ["timed_out", "withdrawn", "reject"])
    def test_ends_with_the_approval(self, house: Gateway, state: str) -> None:
        run = house.start()
        approval = house.open_approval(run)
        person = reviewer(house, approval)
        form = person.answer()
        closure = ApprovalClosure(approval=approval, decision=state, decided_at=house.stores.database.now())
        house.project(run, Projection(status=RunStatus.RUNNING, close_approval=closure), seq=2)
        assert (person.get().status_code, "closed" in person.get().text) == (410, True)
        assert person.confirm(form).status_code == 409
        assert decisions(house) == []

    def test_ends_with_its_reviewer(self, house: Gateway) -> None:
        person = asked(house)
        gone = reviewer(house, house.open_approval(house.start()), reviewer="prn_" + "0" * 26)
        assert person.get().status_code == 200
        assert (gone.get().status_code, "may not decide" in gone.get().text) == (403, True)

    def test_ends_when_its_reviewer_may_not_decide_at_all(self, house: Gateway) -> None:
        answer = asked(house, "viewer").get()
        assert (answer.status_code, "bank.pay" in answer.text) == (403, False)

    def test_is_of_no_use_to_the_requester(self, house: Gateway) -> None:
        house.add_key("both", Role.ADMIN, reviewer_roles=(REVIEWER_ROLE,))
        person = reviewer(house, house.open_approval(house.start("both")), "both")
        assert person.get().status_code == 403

    def test_of_another_role_decides_nothing(self, house: Gateway) -> None:
        person = asked(house, "outsider")
        assert person.get().status_code == 403
        assert decisions(house) == []

    def test_of_another_tenant_leads_nowhere(self, house: Gateway) -> None:
        person = reviewer(house, house.open_approval(house.start()), tenant="other", reviewer=house.principals["stranger"].id)
        assert person.get().status_code == 404

    @pytest.mark.parametrize("token", ["x", "1.e30.e30", "%2e%2e", "1." + "A" * 3000])
    def test_is_a_page_and_no_error_when_it_is_nonsense(self, house: Gateway, token: str) -> None:
        answer = house.client(None).get(f"/a/{token}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert answer.headers["cache-control"] == "no-store"

    def test_says_nothing_of_the_request_when_it_is_altered(self, house: Gateway) -> None:
        person = asked(house)
        place = len(person.token) // 2
        other = "A" if person.token[place] != "A" else "B"
        answer = house.client(None).get(f"/a/{person.token[:place]}{other}{person.token[place + 1 :]}")
        assert (answer.status_code, "Pay" in answer.text) == (404, False)

    def test_expires_by_the_clock_of_the_gateway(self, house: Gateway) -> None:
        assert asked(house).get().status_code == 200
        assert house.deps.now() < datetime(2026, 1, 5, 10, tzinfo=UTC) + timedelta(days=1)
