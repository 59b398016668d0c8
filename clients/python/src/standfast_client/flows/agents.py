"""Agents and prompts: register, list, read, move."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.agents import Agent, AgentRegistration, Prompt
from standfast_client.bundle import read_bundle
from standfast_client.exchange import Flow, Link, get, parse, post
from standfast_client.models import Page


def register(
    link: Link, bundle: Path | str | Mapping[str, str], *, owner: str | None, idempotency_key: str | None
) -> Flow[AgentRegistration]:
    """Register every agent of a bundle: a folder, one file, or path → text."""
    files: dict[str, JsonValue] = dict(bundle if isinstance(bundle, Mapping) else read_bundle(Path(bundle)))
    body: dict[str, JsonValue] = {"files": files, **({} if owner is None else {"owner": owner})}
    return parse((yield from link.ask(post("/agents", body, idempotency_key=idempotency_key))), AgentRegistration)


def agents(link: Link, *, name: str | None, status: str | None) -> Flow[list[Agent]]:
    """Read every version, by name, then newest first."""
    return parse((yield from link.ask(get("/agents", name=name, status=status))), Page[Agent]).items


def agent(link: Link, name: str, version: str | None) -> Flow[Agent]:
    """Read the highest version within an npm-style range; None means the highest of all."""
    return parse((yield from link.ask(get(f"/agents/{quote(name, safe='')}", version=version))), Agent)


def move(link: Link, name: str, version: str, status: str, *, comment: str, idempotency_key: str | None) -> Flow[Agent]:
    """Move a version to another status."""
    path = f"/agents/{quote(name, safe='')}/{quote(version, safe='')}/status"
    body: dict[str, JsonValue] = {"status": status, "comment": comment}
    return parse((yield from link.ask(post(path, body, idempotency_key=idempotency_key))), Agent)


def register_prompt(link: Link, name: str, version: str, text: str, *, idempotency_key: str | None) -> Flow[Prompt]:
    """Register a prompt's version."""
    body: dict[str, JsonValue] = {"name": name, "version": version, "text": text}
    return parse((yield from link.ask(post("/prompts", body, idempotency_key=idempotency_key))), Prompt)


def prompts(link: Link) -> Flow[list[Prompt]]:
    """Read every version of every prompt, by name, then newest first."""
    return parse((yield from link.ask(get("/prompts"))), Page[Prompt]).items


def prompt(link: Link, name: str, version: str | None) -> Flow[Prompt]:
    """Read the highest version within an npm-style range."""
    return parse((yield from link.ask(get(f"/prompts/{quote(name, safe='')}", version=version))), Prompt)
