"""Has schemathesis call an app in process, as one of its OpenAPI documents says and as it does not.

Its engine cannot do that (4.32 hands the app an option for the network), so its pytest functions are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

SERVICES = Path(__file__).parents[2] / "services"
# Of a version, shared among its operations; with --full as many as conftest.py at the root says.
CASES = max(300, settings().max_examples)
# What a case has written the next one finds, as in life. Not of the profile with --full: its number would be an operation's.
as_in_life = settings(
    settings.get_profile("default"),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Stage:
    """Hands every call to the app of the present test: a document is read before there is any."""

    app: Callable[..., Iterable[bytes]]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer as the app does."""
        return self.app(environ, start_response)


def described(service: str, version: str, stage: Stage, *, among: int, **configured: object) -> Any:
    """Return what schemathesis makes of a version's document, with so many operations; `configured` is schemathesis's own."""
    config = SchemathesisConfig.from_dict(
        {"generation": {"max-examples": -(-CASES // among)}, **configured}
    )
    document = SERVICES / service / "openapi" / f"{version}.json"
    schema = schemathesis.openapi.from_path(document, config=config)
    schema.config.update(base_url=f"http://localhost/api/{version}")
    schema.app = stage
    return schema
