"""The pages of a signed link: what is asked, what is answered, and what became of it. HTML with headers that keep it out of caches.

Mail scanners and link previews open addresses, and some send forms back as they found them: neither decides. The first form has no answer
chosen, the second wants a box ticked, and each holds what only our page before it can have said.
"""

from typing import Literal, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from api.context import RequestContext
from api.form_body import read_form
from api.pages.rendering import Answer, FieldError, FormView, PageRenderer, Tone
from api.reviewing import OpenedLink, Reviewing, Stage, stale_now
from api.views import DecisionBody, DecisionView
from domain.errors import StandfastError
from domain.people_stores import DecisionRow
from domain.review_links import LinkRefusal
from domain.review_summary import moment

COMMENT_CHARS_MAX = 2000
"""As in `api.views.Comment`; a test compares them."""

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
REFUSED = {"malformed": 404, "altered": 404, "revoked": 410, "expired": 410, "stale": 409}
ENDED = {
    "approved": "It was approved",
    "rejected": "It was rejected",
    "timed_out": "Its deadline passed without enough decisions",
    "withdrawn": "It was withdrawn",
}
CHOOSE = FieldError("approve", "Choose whether to approve or to reject.")
TOO_LONG = FieldError("comment", f"Shorten the comment to {COMMENT_CHARS_MAX} characters.")
WANTS_FORM = FieldError("approve", "Approving this asks for a form to be filled in: approve it in the inbox. You can reject it here.")
NOT_SURE = FieldError("sure", "Tick the box to say that you have read it.")
NOTHING_SAID = Answer()


class SentForm(NamedTuple):
    """A form as it came."""

    stage: Stage
    nonce: str
    answer: Answer
    sure: bool

    @classmethod
    def of(cls, fields: dict[str, str]) -> "SentForm":
        """Read the fields; one that is missing is empty."""
        stage: Stage = "confirm" if fields.get("stage") == "confirm" else "review"
        answer = Answer(fields.get("verdict", ""), fields.get("comment", ""))
        return cls(stage, fields.get("nonce", ""), answer, fields.get("sure") == "yes")


class ReviewPages:
    """Answers who follows a link."""

    def __init__(self, reviewing: Reviewing) -> None:
        self._reviewing = reviewing
        self._html = PageRenderer()
        policy = f"default-src 'none'; style-src '{self._html.style_hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        self._headers = {**HEADERS, "Content-Security-Policy": policy}

    async def show(self, token: str) -> HTMLResponse:
        """Show what will happen, with the form."""
        try:
            opened = await self._reviewing.opened(token)
            if isinstance(opened, LinkRefusal):
                return self._refused(opened)
            return await self._over(opened) or await self._ask(opened, token, NOTHING_SAID)
        except StandfastError as error:
            return self._failed(error)

    async def take(self, token: str, request: Request, context: RequestContext) -> HTMLResponse:
        """Take a form: the first leads to the second, the second decides."""
        try:
            opened = await self._reviewing.opened(token)
            if isinstance(opened, LinkRefusal):
                return self._refused(opened)
            form = SentForm.of(await read_form(request))
            repeated = form.answer._asdict() if form.stage == "confirm" else {}
            if not self._reviewing.nonce_holds(form.nonce, token, form.stage, **repeated):
                return self._page(403, "This form was not the page's own", ["Open the request again and answer there."], again=_path(token))
            if form.stage == "review":
                return await self._over(opened) or await self._check(opened, token, form.answer)
            if not form.sure:
                return await self._confirm(opened, token, form.answer, error=NOT_SURE)
            return await self._decide(context, opened, form.answer)
        except StandfastError as error:
            return self._failed(error)

    async def _check(self, opened: OpenedLink, token: str, answer: Answer) -> HTMLResponse:
        """Ask again what is missing, or whether the answer is meant."""
        if answer.verdict not in ("approve", "reject"):
            return await self._ask(opened, token, answer, error=CHOOSE)
        if answer.verdict == "approve" and opened.approval.projection.form is not None:
            return await self._ask(opened, token, answer, error=WANTS_FORM)
        if len(answer.comment) > COMMENT_CHARS_MAX:
            return await self._ask(opened, token, answer, error=TOO_LONG)
        return await self._confirm(opened, token, answer)

    async def _ask(self, opened: OpenedLink, token: str, answer: Answer, *, error: FieldError | None = None) -> HTMLResponse:
        nonce = self._reviewing.nonce(token, "review")
        return self._answer(422 if error else 200, self._html.decide(await self._view(opened, token, nonce, answer, error)))

    async def _confirm(self, opened: OpenedLink, token: str, answer: Answer, *, error: FieldError | None = None) -> HTMLResponse:
        nonce = self._reviewing.nonce(token, "confirm", verdict=answer.verdict, comment=answer.comment)
        return self._answer(422 if error else 200, self._html.confirm(await self._view(opened, token, nonce, answer, error)))

    async def _view(self, opened: OpenedLink, token: str, nonce: str, answer: Answer, error: FieldError | None) -> FormView:
        return FormView(
            summary=await self._reviewing.summary(opened),
            reviewer=opened.reviewer.name or opened.reviewer.id,
            action=_path(token),
            nonce=nonce,
            answer=answer,
            comment_chars_max=COMMENT_CHARS_MAX,
            error=error,
        )

    async def _decide(self, context: RequestContext, opened: OpenedLink, answer: Answer) -> HTMLResponse:
        try:
            said = DecisionBody.model_validate({"verdict": answer.verdict, "digest": opened.link.digest, "comment": answer.comment})
        except ValidationError:  # only a form of ours gets here, so it is our page that is wrong
            return self._page(422, "This form could not be read", ["Open the request again and answer there."])
        return self._decided(opened, await self._reviewing.decide(context, opened, said))

    def _decided(self, opened: OpenedLink, view: DecisionView) -> HTMLResponse:
        heading = "Approved" if view.verdict == "approve" else "Rejected"
        title = opened.approval.projection.title
        if view.state == "accepted":
            others = view.ending is None and opened.approval.projection.rules is not None
            waits = ["It goes on when enough reviewers have answered."] if others else []
            return self._page(200, heading, [title, "The run has taken your decision. You can close this page.", *waits], tone="good")
        later = "Your decision is stored and is being delivered to the run. You need not do anything more; this link works once."
        return self._page(202, f"{heading}: being delivered", [title, later], tone="good")

    async def _over(self, opened: OpenedLink) -> HTMLResponse | None:
        """Return the page of a link that was used, or whose approval was closed or amended; None while it can be decided."""
        title, used = opened.approval.projection.title, await self._reviewing.used(opened)
        if used is not None:
            return self._page(410, "You have already answered", [title, _said_before(used)])
        if opened.approval.state != "open":
            how = ENDED.get(opened.approval.state, "It was closed")
            when = f" ({moment(opened.approval.decided_at)})" if opened.approval.decided_at else ""
            return self._page(410, "This request is closed", [title, f"{how}{when}.", "Your decision is not needed any more."])
        refused = stale_now(opened)
        return self._refused(refused) if refused else None

    def _refused(self, refusal: LinkRefusal) -> HTMLResponse:
        return self._page(REFUSED[refusal.reason], "This link cannot be used", [refusal.detail])

    def _failed(self, error: StandfastError) -> HTMLResponse:
        return self._page(error.status, error.title, [error.detail[:1].upper() + error.detail[1:] + "."])

    def _page(self, status: int, heading: str, lines: list[str], *, tone: Tone = "bad", again: str | None = None) -> HTMLResponse:
        return self._answer(status, self._html.outcome(heading, lines, tone=tone, again=again))

    def _answer(self, status: int, html: str) -> HTMLResponse:
        return HTMLResponse(html, status_code=status, headers=self._headers)


def _said_before(row: DecisionRow) -> str:
    how: dict[Literal["stored", "accepted", "refused"], str] = {
        "stored": "It is being delivered to the run.",
        "accepted": "The run has taken it.",
        "refused": "The run did not take it" + (f": {row.refusal['detail']}." if row.refusal and "detail" in row.refusal else "."),
    }
    verdict = {"approve": "approved", "reject": "rejected"}.get(row.verdict, row.verdict)
    return f"You {verdict} it through this link ({moment(row.stored_at)}). {how[row.state]} A link works once."


def _path(token: str) -> str:
    return f"/a/{token}"
