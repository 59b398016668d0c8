"""Deployment files parse and agree with the product; hooks fetch nothing."""

import json
import re
from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue
from ruamel.yaml import YAML
from typer.core import TyperGroup
from typer.main import get_command

from cli.main import app
from tests.architecture.sources import ROOT, shown
from wiring.embedded.go_toolchain import GO_VERSION_MIN
from wiring.embedded.temporal_arguments import DYNAMIC_CONFIG, SEARCH_ATTRIBUTES, temporal_database_file, temporal_server_arguments
from wiring.settings import GROUPS

MANIFESTS = sorted((ROOT / "k8s").glob("*.yaml"))
SETTINGS = {str(field.validation_alias) for group in GROUPS for field in group.model_fields.values()}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


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


def commands() -> set[str]:
    """Return the commands that `standfast --help` lists."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return set(group.commands)


def started_commands(words: str) -> list[list[str]]:
    """Return the JSON arrays of an instruction of the Dockerfile, such as CMD."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [json.loads(found) for found in re.findall(rf"^{words} (\[.*\])$", joined, re.MULTILINE)]


class TestContainersOfManifests:
    CONTAINERS = tuple(
        cast("dict[str, JsonValue]", container)
        for manifest in MANIFESTS
        for document in documents_of(manifest)
        for template in [cast("dict[str, dict[str, dict[str, list[JsonValue]]]]", document.get("spec", {})).get("template")]
        if template is not None
        for container in template["spec"]["containers"]
    )

    def test_start_commands_that_exist(self) -> None:
        assert [container["name"] for container in self.CONTAINERS] == ["gateway", "migrate", "worker"]
        assert {cast("list[str]", container["args"])[0] for container in self.CONTAINERS} <= commands()

    def test_look_for_the_ready_file_that_the_worker_makes(self) -> None:
        [worker] = [container for container in self.CONTAINERS if container["name"] == "worker"]
        [ready] = [item["value"] for item in cast("list[dict[str, str]]", worker["env"]) if item["name"] == "STANDFAST_READY_FILE"]
        probe = cast("dict[str, dict[str, list[str]]]", worker["readinessProbe"])
        assert probe["exec"]["command"] == ["test", "-e", ready]


class TestDockerfile:
    def test_starts_the_temporal_server_as_the_development_stack_does_but_open_to_its_network(self) -> None:
        [temporal, _] = started_commands("CMD")
        database = Path("/data") / temporal_database_file(Path()).name
        wanted = temporal_server_arguments(database=database)
        assert temporal == [*wanted[:2], "--listen-everywhere", *wanted[2:]]

    def test_starts_a_command_that_exists(self) -> None:
        assert started_commands("ENTRYPOINT") == [["temporal-server"], ["standfast"]]
        [_, [command]] = started_commands("CMD")
        assert command in commands()

    def test_builds_with_the_go_that_the_source_asks_for(self) -> None:
        [major, minor] = map(int, re.findall(r"^FROM golang:(\d+)\.(\d+)-", DOCKERFILE, re.MULTILINE)[0])
        assert (major, minor) == GO_VERSION_MIN[:2]


class TestCompose:
    [DOCUMENT] = documents_of(ROOT / "docker-compose.yml")
    SERVICES = cast("dict[str, dict[str, JsonValue]]", DOCUMENT["services"])
    OURS = ("migrate", "gateway", "worker")

    def test_publishes_on_loopback_only(self) -> None:
        ports = [port for service in self.SERVICES.values() for port in cast("list[str]", service.get("ports", []))]
        assert ports
        assert [port for port in ports if not port.startswith("127.0.0.1:")] == []

    @pytest.mark.parametrize("name", OURS)
    def test_starts_commands_that_exist_with_settings_that_exist(self, name: str) -> None:
        service = self.SERVICES[name]
        assert cast("list[str]", service["command"])[0] in commands()
        assert cast("dict[str, str]", service["environment"]).keys() - SETTINGS == set()

    def test_waits_for_health_where_health_is_looked_at(self) -> None:
        watched = {name for name, service in self.SERVICES.items() if "healthcheck" in service}
        assert watched == self.SERVICES.keys() - {"migrate"}
        waits = [
            (name, other, condition["condition"])
            for name, service in self.SERVICES.items()
            for other, condition in cast("dict[str, dict[str, str]]", service.get("depends_on", {})).items()
        ]
        assert {other for _, other, condition in waits if condition == "service_healthy"} == {"postgres", "temporal"}
        assert {(other, condition) for _, other, condition in waits if condition != "service_healthy"} == {
            ("migrate", "service_completed_successfully")
        }

    def test_looks_for_the_ready_file_that_the_worker_makes(self) -> None:
        worker = self.SERVICES["worker"]
        ready = cast("dict[str, str]", worker["environment"])["STANDFAST_READY_FILE"]
        assert cast("dict[str, list[str]]", worker["healthcheck"])["test"] == ["CMD", "test", "-e", ready]

    def test_brings_the_extension_that_memory_searches_by(self) -> None:
        assert str(self.SERVICES["postgres"]["image"]).startswith("pgvector/pgvector:")


class TestDeploymentPage:
    PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")

    def test_names_what_a_temporal_server_of_ones_own_needs(self) -> None:
        attributes = dict(re.findall(r"--name (\w+) --type (\w+)", self.PAGE))
        assert attributes == SEARCH_ATTRIBUTES
        assert [key for key in DYNAMIC_CONFIG if key not in self.PAGE] == []


def test_hooks_are_local() -> None:
    [config] = documents_of(ROOT / ".pre-commit-config.yaml")
    assert {repo["repo"] for repo in cast("list[dict[str, str]]", config["repos"])} == {"local"}
