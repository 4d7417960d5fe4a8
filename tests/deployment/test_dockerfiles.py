"""The Dockerfiles as files: one text, from a context that has nothing more than it needs."""

from __future__ import annotations

import re

import pytest
from deployment.services import ROOT, SERVICES, project

# What the deployer stages to build from; SERVICE stands for the name.
STAGED = {
    "constraints.txt",
    "migrations/SERVICE",
    "platform/kit/pyproject.toml",
    "platform/kit/src",
    "services/SERVICE/flags.jso[n]",
    "services/SERVICE/pyproject.toml",
    "services/SERVICE/src",
}


def dockerfile(service):
    return (ROOT / "services" / service / "Dockerfile").read_text()


def test_they_differ_in_nothing_but_the_name():
    """One is mended, all are."""
    texts = {re.sub(rf"\b{service}\b", "SERVICE", dockerfile(service)) for service in SERVICES}

    assert len(texts) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_else_goes_in_than_what_is_staged(service):
    """No tests, no other service, no history: and so none of that makes an image anew."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(service), re.MULTILINE)
    copied = [path for line in lines for path in line.split()]
    named = {path.replace(f"/{service}", "/SERVICE") for path in copied}

    assert named == STAGED
    assert [path for path in copied if "[" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_flags_that_a_service_has_are_in_its_wheel(service):
    """The file is beside the sources, and only what is named goes in."""
    wheel = project(service)["tool"]["hatch"]["build"]["targets"]["wheel"]
    shipped = wheel["force-include"].get("flags.json")
    there = (ROOT / "services" / service / "flags.json").exists()

    assert shipped == (f"{service}/flags.json" if there else None)


def test_the_context_begins_with_nothing():
    """What is not let in by name stays out: a folder that somebody adds, an environment, a key."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]

    assert lines[0] == "*"
    assert [line for line in lines if line.startswith("!") and "*" in line] == []


@pytest.mark.parametrize("word", ["--mount", "--link", "<<EOF", "# syntax="])
def test_the_classic_builder_is_enough(word):
    """BuildKit is an extra on many machines."""
    assert word not in dockerfile(SERVICES[0])


@pytest.mark.parametrize("service", SERVICES)
def test_a_stop_reaches_the_program(service):
    """No shell in between, and no root."""
    text = dockerfile(service)

    assert f'ENTRYPOINT ["python", "-m", "platform_kit.serve", "{service}"]' in text
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_stage_is_on_the_base_that_is_asked_for(service):
    """An argument: where no image can be pulled, or another mirror is wanted."""
    bases = re.findall(r"^FROM (\S+)", dockerfile(service), re.MULTILINE)

    assert set(bases) == {"${PYTHON_IMAGE}", "dependencies"}
    assert dockerfile(service).count("ARG PYTHON_IMAGE=python:3.11-slim-bookworm") == 1
