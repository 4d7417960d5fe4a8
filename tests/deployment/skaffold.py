"""What Skaffold makes of skaffold.yaml: which artifacts it builds, and how it calls Helm.

Skaffold itself is in no package registry. How it puts a call together is what its pkg/skaffold/helm does: the values
set, in the order of their names, then those from templates, then the values files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
IMAGE = re.compile(r"\{\{\.IMAGE_FULLY_QUALIFIED_([a-z]+)\}\}")


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """A Helm release, and what follows `helm install` or `helm upgrade` when Skaffold deploys it."""

    name: str
    chart: str
    arguments: tuple[str, ...]


def document() -> dict[str, Any]:
    """Return skaffold.yaml as Skaffold sees it: without what begins with a dot."""
    read = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    return {key: value for key, value in read.items() if not key.startswith(".")}


def configuration(profile: str = "") -> dict[str, Any]:
    """Return the pipeline, with a profile laid over it: its lists take the place of the base's."""
    base = document()
    profiles = {each["name"]: each for each in base.pop("profiles")}
    return _overlaid(base, profiles[profile]) if profile else base


def helm_releases(profile: str = "", *, images: Mapping[str, str]) -> tuple[HelmRelease, ...]:
    """Return the calls of Helm, in their order; `images` has the full reference of each artifact."""
    declared = configuration(profile)["deploy"]["helm"]["releases"]
    return tuple(_release(each, images) for each in declared)


def _release(declared: Mapping[str, Any], images: Mapping[str, str]) -> HelmRelease:
    set_values = declared.get("setValues", {})
    templates = declared.get("setValueTemplates", {})
    arguments = [declared["name"], declared["chartPath"]]
    for name in sorted(set_values):
        arguments += ["--set", f"{name}={_plain(set_values[name])}"]
    for name in sorted(templates):
        arguments += ["--set", f"{name}={_expanded(templates[name], images)}"]
    for file in declared.get("valuesFiles", ()):
        arguments += ["-f", file]
    if declared.get("wait"):
        arguments.append("--wait")
    return HelmRelease(declared["name"], declared["chartPath"], tuple(arguments))


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _expanded(template: str, images: Mapping[str, str]) -> str:
    expanded = IMAGE.sub(lambda found: images[found[1]], template)
    assert "{{" not in expanded, f"this knows one kind of template, not {template}"
    return expanded


def _overlaid(base: Any, profile: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(profile, dict):
        return profile
    return {**base, **{key: _overlaid(base.get(key), value) for key, value in profile.items()}}
