"""`/a/{token}`: the page of a signed link. GET shows what will happen; two POSTs, the second confirmed, decide. Answers are HTML.

The pages are loaded with the first link that is followed: the templates' engine would cost every start of a gateway else.
"""

import asyncio
from typing import Protocol

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from api.context import Context, RequestContext
from api.deps import GatewayDeps
from api.reviewing import Reviewing


class Pages(Protocol):
    """What `api.pages.review` has."""

    async def show(self, token: str) -> HTMLResponse:
        """Show what will happen, with the form."""
        ...

    async def take(self, token: str, request: Request, context: RequestContext) -> HTMLResponse:
        """Take a form."""
        ...


class ReviewPageRoutes:
    """Signed links over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._loading = asyncio.Lock()
        self._pages: Pages | None = None

    def add_to(self, app: FastAPI) -> None:
        """Add the pages. They are for browsers, and stand in no description of the API."""
        app.router.add_api_route("/a/{token}", self.show_review_page, methods=["GET"], include_in_schema=False)
        app.router.add_api_route("/a/{token}", self.take_review_form, methods=["POST"], include_in_schema=False)

    async def show_review_page(self, token: str) -> HTMLResponse:
        """Show what will happen, with the form. Whatever else came with the request, nothing is decided."""
        return await (await self._loaded()).show(token)

    async def take_review_form(self, token: str, request: Request, context: Context) -> HTMLResponse:
        """Take an answer: the first form leads to the second, which asks whether it is meant; that one decides."""
        return await (await self._loaded()).take(token, request, context)

    async def _loaded(self) -> Pages:
        async with self._loading:
            if self._pages is None:
                self._pages = await asyncio.to_thread(_load, self._deps)
        return self._pages


def _load(deps: GatewayDeps) -> Pages:
    from api.pages.review import ReviewPages  # noqa: PLC0415 - late on purpose, see the module

    return ReviewPages(Reviewing(deps))
