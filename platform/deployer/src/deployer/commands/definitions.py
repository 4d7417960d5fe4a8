"""Which definitions of flags are in force in an environment, or would be."""

from __future__ import annotations

from pathlib import Path

from deployer.commands.context import Context
from deployer.errors import InputError
from deployer.flags import Flags, parse_flags
from deployer.model import ServiceName

FILE = "flags.json"


def flags_of(context: Context, service: ServiceName) -> Flags:
    """Return the service's flags in the environment, with those that the checkout has beside them.

    The environment has a file of its own from the first change on. Raises InputError `flags-missing`
    when neither has any.
    """
    path = _shipped_file(context, service)
    shipped = (
        parse_flags(path.read_text(encoding="utf-8"), where=str(path)) if path.exists() else None
    )
    text = context.target.flags(service)
    if text is not None:
        own = parse_flags(text, where=f"the flags of {service} in {context.environment.name}")
        return own.merged(shipped) if shipped else own
    if shipped is None:
        raise InputError(
            "flags-missing",
            f"{service} has no flags: there is no {FILE} in its folder",
            hint=f"declare them in the service's code and write services/{service}/{FILE}",
        )
    return shipped


def _shipped_file(context: Context, service: ServiceName) -> Path:
    return context.workspace.root / "services" / service / FILE
