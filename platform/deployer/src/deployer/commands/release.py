"""Turns `product`, `product@1.0.0` or a changed tree into a built release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deployer.commands.context import Configuration, Context
from deployer.errors import ConflictError, InputError, OperationError
from deployer.model import Release, ServiceName
from deployer.releases import Version
from deployer.workspace import Source

# A setting of the kit; a release that carries others would hide what the service reads itself.
SETTING = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: a service, and a version unless the tree decides.

    `same_code_as_tree` builds the tree's code under that version, for a copy without history and
    for releases that exist to go wrong.
    """

    service: ServiceName
    version: Version | None = None
    configuration: tuple[tuple[str, str], ...] = ()
    same_code_as_tree: bool = False


def parse_wanted(context: Context, text: str, configuration: Configuration | None = None) -> Wanted:
    """Read `SERVICE[@VERSION]`; raise InputError for an unknown service or a bad version."""
    name, _, version = text.partition("@")
    service = context.workspace.service(name)
    frozen = tuple(sorted((configuration or {}).items()))
    for key, _value in frozen:
        if not SETTING.fullmatch(key):
            raise InputError(
                "setting-broken",
                f"{key!r} is no name of an environment variable",
                hint="write --set NAME=value, the name in capitals",
            )
    return Wanted(service, Version.parse(version) if version else None, frozen)


def build_release(context: Context, wanted: Wanted) -> Release:
    """Build what was asked for, or find it built.

    Raises InputError `unknown-version` for a version that is neither recorded nor the tree's, and
    the errors of a build.
    """
    with _source(context, wanted) as source:
        context.say(f"building {source.service}@{source.version}")
        release = context.builds.build(source)
    return replace(release, configuration=wanted.configuration)


def version_of(context: Context, wanted: Wanted) -> Version:
    """Return the version that a build of this would have; raise the same InputErrors."""
    with _source(context, wanted) as source:
        return source.version


def require_consistent(context: Context, release: Release) -> None:
    """Refuse a version that this environment has seen with another content."""
    from deployer.driver import decode_order  # noqa: PLC0415  # pydantic's cost, once

    for header in context.ledger.history(release.service):
        known = decode_order(header.order).candidate
        if known.version == release.version and not known.same_content(release):
            raise ConflictError(
                "version-conflict",
                f"{release.name} was deployed here before with other content"
                f" (digest {known.digest[:12]}, now {release.digest[:12]})",
                hint=f"give the change a version of its own in services/{release.service}/"
                "pyproject.toml, or leave it uncommitted to get a development version",
            )


@contextmanager
def _source(context: Context, wanted: Wanted) -> Iterator[Source]:
    from deployer.targets.local import scratch_tree  # noqa: PLC0415  # late, as the target

    with scratch_tree() as tree:
        yield _stage(context, wanted, tree)


def _stage(context: Context, wanted: Wanted, tree: Path) -> Source:
    workspace, service = context.workspace, wanted.service
    declared = workspace.declaration(service).version
    if wanted.same_code_as_tree and wanted.version is not None:
        return workspace.stage(service, wanted.version, into=tree)
    recorded = {each.version: each for each in workspace.released(service)}
    if wanted.version is None:
        return _stage_tree(context, service, tree)
    if wanted.version in recorded:
        return _stage_recorded(context, wanted, tree)
    if wanted.version == declared:
        return workspace.stage(service, declared, into=tree)
    known = ", ".join(str(version) for version in sorted({*recorded, declared}))
    raise InputError(
        "unknown-version",
        f"{service}@{wanted.version} was never released and is not the tree's version",
        hint=f"known versions: {known}",
    )


def _stage_tree(context: Context, service: ServiceName, tree: Path) -> Source:
    """Stage the working tree: the service's version, or a development version if it changed."""
    workspace = context.workspace
    declared = workspace.declaration(service).version
    source = workspace.stage(service, declared, into=tree)
    if not _differs(context, service, source):
        return source
    number = context.builds.development_number(
        service, declared.next_development(0), source.content
    )
    return replace(source, version=declared.next_development(number), commit=None)


def _differs(context: Context, service: ServiceName, source: Source) -> bool:
    workspace = context.workspace
    if workspace.changed(service):
        return True
    recorded = [each for each in workspace.released(service) if each.version == source.version]
    if not recorded or not workspace.has_commit(recorded[0].commit):
        return False
    from deployer.targets.local import scratch_tree  # noqa: PLC0415  # late, as the target

    with scratch_tree() as tree:
        released = workspace.stage_commit(service, recorded[0], into=tree)
    return released.content != source.content


def _stage_recorded(context: Context, wanted: Wanted, tree: Path) -> Source:
    """Stage a recorded release; in a copy without history the tree's code takes its version."""
    workspace, service = context.workspace, wanted.service
    (recorded,) = (each for each in workspace.released(service) if each.version == wanted.version)
    try:
        return workspace.stage_commit(service, recorded, into=tree)
    except OperationError as error:
        if workspace.shallow:
            raise  # the history is a command away
        context.say(f"{error.cause}; using the code at hand as {service}@{wanted.version}")
        return workspace.stage(service, recorded.version, into=tree)
