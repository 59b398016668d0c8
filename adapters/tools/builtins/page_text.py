"""What people read on a web page: title, text and links, without scripts, styles and the page's frame."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

UNREAD = "script,style,noscript,template,svg,iframe,object,embed,canvas,nav,footer,aside,form,[hidden],[aria-hidden=true]"
"""Elements that hold no text of the page itself; what is hidden from people is hidden from models."""
MAIN = ("main", "article", "[role=main]", "#content", "body")
BREAKING = frozenset(
    {"p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "br", "section", "article", "blockquote", "pre", "dd", "dt"}
)
LINKS_MAX = 50
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
"""Characters that show nothing, in which texts for models are smuggled past people."""
HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d]*[1-9])", re.IGNORECASE)


@dataclass(frozen=True)
class PageText:
    """A page as text; links are absolute, each with its words."""

    title: str
    text: str
    links: list[tuple[str, str]]


def page_text(html: bytes, url: str) -> PageText:
    """Return what a page says; `url` is where it came from."""
    page = LexborHTMLParser(html.decode("utf-8", errors="replace"))
    title = page.css_first("title")
    named = _clean(title.text()) if title is not None else ""
    for node in page.css(UNREAD):
        node.decompose()
    for node in page.css("[style]"):
        if HIDDEN_STYLE.search(node.attributes.get("style") or ""):
            node.decompose()
    root = next((found for place in MAIN if (found := page.css_first(place)) is not None), None)
    if root is None:
        return PageText(named, "", [])
    return PageText(named, _lines(root), _links(root, url))


def _lines(root: LexborNode) -> str:
    pieces: list[str] = []
    for node in root.traverse(include_text=True):
        if node.tag == "-text":
            pieces.append(node.text_content or "")
        elif node.tag in BREAKING:
            pieces.append("\n")
    lines = (_clean(line) for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def _links(root: LexborNode, url: str) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for node in root.css("a[href]"):
        target = urljoin(url, (node.attributes.get("href") or "").strip()).partition("#")[0]
        words = _clean(node.text())
        if words and urlsplit(target).scheme in ("http", "https") and len(found) < LINKS_MAX:
            found.setdefault(target, words[:200])
    return list(found.items())


def _clean(text: str) -> str:
    return " ".join(INVISIBLE.sub("", text).split())
