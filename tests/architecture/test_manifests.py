"""Deployment files parse and agree with the product; hooks fetch nothing."""

from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue
from ruamel.yaml import YAML

from tests.architecture.sources import ROOT, shown
from wiring.settings import GROUPS

MANIFESTS = sorted((ROOT / "k8s").glob("*.yaml"))
SETTINGS = {str(field.validation_alias) for group in GROUPS for field in group.model_fields.values()}


def documents_of(path: Path) -> list[dict[str, JsonValue]]:
    """Return the YAML documents of a file."""
    return cast("list[dict[str, JsonValue]]", list(YAML(typ="safe", pure=True).load_all(path)))  # pyright: ignore[reportUnknownMemberType]  # ruamel.yaml is partly typed


def strings_of(value: JsonValue) -> list[str]:
    """Return all keys and texts inside a value."""
    if isinstance(value, dict):
        return [text for key, child in value.items() for text in (key, *strings_of(child))]
    if isinstance(value, list):
        return [text for child in value for text in strings_of(child)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("manifest", MANIFESTS, ids=shown)
class TestKubernetesManifest:
    def test_names_kind_version_and_itself(self, manifest: Path) -> None:
        for document in documents_of(manifest):
            assert {"apiVersion", "kind", "metadata"} <= document.keys()

    def test_sets_only_settings_that_exist(self, manifest: Path) -> None:
        names = {
            text for document in documents_of(manifest) for text in strings_of(document) if text.startswith(("STANDFAST_", "TEMPORAL_"))
        }
        assert names - SETTINGS == set()


def test_kubernetes_manifests_exist() -> None:
    assert {path.stem for path in MANIFESTS} >= {"config", "gateway", "migrate", "namespace", "worker"}


class TestCompose:
    [DOCUMENT] = documents_of(ROOT / "docker-compose.yml")

    def test_publishes_on_loopback_only(self) -> None:
        services = cast("dict[str, dict[str, list[str]]]", self.DOCUMENT["services"])
        ports = [port for service in services.values() for port in service.get("ports", [])]
        assert ports
        assert [port for port in ports if not port.startswith("127.0.0.1:")] == []

    def test_sets_only_settings_that_exist(self) -> None:
        names = {text for text in strings_of(self.DOCUMENT) if text.startswith(("STANDFAST_", "TEMPORAL_")) and text.isupper()}
        assert names
        assert names - SETTINGS == set()


def test_hooks_are_local() -> None:
    [config] = documents_of(ROOT / ".pre-commit-config.yaml")
    assert {repo["repo"] for repo in cast("list[dict[str, str]]", config["repos"])} == {"local"}
