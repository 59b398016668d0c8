"""Definitions: register, list, read."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.bundle import read_bundle
from standfast_client.exchange import Flow, Link, get, parse, post
from standfast_client.models import Definition, Page, Registration


def register(link: Link, bundle: Path | str | Mapping[str, str], *, idempotency_key: str | None) -> Flow[list[Definition]]:
    """Register every definition of a bundle: a folder, one file, or path → text."""
    files: dict[str, JsonValue] = dict(bundle if isinstance(bundle, Mapping) else read_bundle(Path(bundle)))
    answer = yield from link.ask(post("/definitions", {"files": files}, idempotency_key=idempotency_key))
    return parse(answer, Registration).definitions


def definitions(link: Link) -> Flow[list[Definition]]:
    """Read every version of every definition, by name, then newest first."""
    return parse((yield from link.ask(get("/definitions"))), Page[Definition]).items


def definition(link: Link, name: str, version: str | None) -> Flow[Definition]:
    """Read the highest version within an npm-style range; None means the highest of all."""
    return parse((yield from link.ask(get(f"/definitions/{quote(name, safe='')}", version=version))), Definition)
