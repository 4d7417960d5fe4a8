"""The versions of auth's interface, and what each one changed: a module a version, named after it."""

from datetime import UTC, datetime

from auth.changes import v2, v3
from platform_kit.api import Version

VERSIONS = (
    Version(
        "v1",
        deprecated=datetime(2026, 12, 1, tzinfo=UTC),
        # Two years: clients of a shop are apps that people have installed.
        sunset=datetime(2028, 12, 1, tzinfo=UTC),
    ),
    Version("v2"),
    Version("v3", preview=True),
)
CHANGES = (v2.CHANGE, v3.CHANGE)
