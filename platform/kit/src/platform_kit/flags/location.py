"""Where a service's flags are: in its installed package, or in the checkout it is installed from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

NAME = "flags.json"


def flags_file(service: str) -> Path:
    """Return the file that a service was shipped with, whether it is there or not.

    A wheel carries it as `<package>/flags.json`; in a checkout it is `services/<service>/flags.json`.
    """
    spec = find_spec(service) if service.isidentifier() else None
    (package, *_) = (spec and spec.submodule_search_locations) or [service]
    shipped = Path(package) / NAME
    checkout = Path(package).parent.parent / NAME
    return checkout if checkout.is_file() and not shipped.is_file() else shipped
