"""Renders the pages of signed links. Loaded with the first page that is asked for: the templates' engine costs every start else.

Everything is escaped; what a screen would hide or turn around is named (`domain/visible_text.py`).
"""

import hashlib
from base64 import b64encode
from typing import Literal, NamedTuple, cast

from jinja2 import Environment, PackageLoader, StrictUndefined

from domain.review_summary import ReviewSummary, dollars, moment
from domain.visible_text import visible_parts

Tone = Literal["good", "bad"]


class FieldError(NamedTuple):
    """What is wrong with which field, by its element's id."""

    field: Literal["approve", "comment", "sure"]
    text: str


class Answer(NamedTuple):
    """What a person has filled in so far."""

    verdict: str = ""
    comment: str = ""


class FormView(NamedTuple):
    """What both forms need: `action` is the page's own path, `nonce` what only this page can have said."""

    summary: ReviewSummary
    reviewer: str
    action: str
    nonce: str
    answer: Answer
    comment_chars_max: int
    error: FieldError | None = None


class PageRenderer:
    """The templates, read once."""

    def __init__(self) -> None:
        loader = PackageLoader("api.pages")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        style, _, _ = loader.get_source(self._templates, "style.css")
        # Jinja types these two by what it puts there itself.
        cast("dict[str, object]", self._templates.globals).update(style=style, moment=moment, dollars=dollars)
        cast("dict[str, object]", self._templates.filters)["parts"] = visible_parts
        self.style_hash = f"sha256-{b64encode(hashlib.sha256(style.encode()).digest()).decode()}"

    def decide(self, view: FormView) -> str:
        """Return the page that shows what will happen and asks for an answer."""
        return self._form("decide.html", view)

    def confirm(self, view: FormView) -> str:
        """Return the page that asks whether the answer is meant."""
        return self._form("confirm.html", view)

    def outcome(self, heading: str, lines: list[str], *, tone: Tone, again: str | None = None) -> str:
        """Return a page that says what became of it; `again` is the path of the request, where it is worth opening."""
        return self._templates.get_template("outcome.html").render(heading=heading, lines=lines, tone=tone, again=again)

    def _form(self, template: str, view: FormView) -> str:
        said = view._asdict() | view.answer._asdict()
        return self._templates.get_template(template).render(said)
