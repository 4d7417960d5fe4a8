"""Flags, and files that define them, in a few words."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from platform_kit.flags import BooleanFlag, FlagSet, NumberFlag, StringFlag
from platform_kit.flags.definition import parse_flags

ALL = {"owner": "us", "expires": date(2999, 1, 1), "description": "A test's."}


def boolean(key: str = "new-listing", *, default: bool = False) -> BooleanFlag:
    return BooleanFlag(key, default=default, **ALL)


def text(key: str = "layout", *, default: str = "list") -> StringFlag:
    return StringFlag(key, default=default, **ALL)


def number(key: str = "page-size", *, default: float = 20) -> NumberFlag:
    return NumberFlag(key, default=default, **ALL)


def definition(**changes: object) -> dict[str, Any]:
    """A flag that is on or off, as the file has it; without changes it is off for all."""
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        **changes,
    }


def targeted(targeting: object, **changes: object) -> dict[str, Any]:
    return definition(targeting=targeting, **changes)


def split(on: int) -> dict[str, Any]:
    """A flag that is on for a share in percent."""
    return targeted({"fractional": [["on", on], ["off", 100 - on]]})


def content(**flags: object) -> str:
    """A file; underscores in the keys stand for hyphens."""
    return json.dumps({"flags": {key.replace("_", "-"): tree for key, tree in flags.items()}})


def defined(flag: BooleanFlag, tree: object) -> BooleanFlag:
    """The flag, as the file defines it."""
    FlagSet("product", flag).take(parse_flags(json.dumps({"flags": {flag.key: tree}})))
    return flag
