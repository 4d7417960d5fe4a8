"""Where a service's revisions are: in its installed package, or in the checkout it is installed from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from platform_kit.errors import MigrationsMissing


def migrations_directory(service: str) -> Path:
    """Return the folder with the service's env.py; raise `MigrationsMissing` if there is none.

    A wheel carries it as `<package>/migrations`; in a checkout it is `migrations/<service>` in a folder above.
    """
    candidates = _candidates(service)
    for candidate in candidates:
        if (candidate / "env.py").is_file():
            return candidate
    raise MigrationsMissing(service, candidates)


def _candidates(service: str) -> list[Path]:
    spec = find_spec(service) if service.isidentifier() else None
    packages = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    inside = [package / "migrations" for package in packages]
    above = [folder / "migrations" / service for package in packages for folder in package.parents]
    return [*inside, *above]
