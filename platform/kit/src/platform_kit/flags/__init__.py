"""Feature flags: what a service may do otherwise for some of its callers, without a release.

A service declares its flags in code, typed and with an owner and an end, and `flags.json` says who gets which
variant, in the form of flagd (https://flagd.dev/reference/flag-definitions). The file is compiled once and watched:
a change is in force within 200 ms, a broken file leaves what was. A decision takes no lock, no file and no network.

    NEW_LISTING = BooleanFlag(
        "new-listing",
        default=False,
        owner="product team",
        expires=date(2027, 3, 1),
        description="Products are listed with their prices.",
    )
    FLAGS = FlagSet("product", NEW_LISTING)

    create_app("product", ..., flags=FLAGS)
    NEW_LISTING.on(customer)

Names are imported when they are first used: a service that asks its flags need not pay for OpenFeature's SDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_kit.flags.client import FlagClient as FlagClient
    from platform_kit.flags.declaration import BooleanFlag as BooleanFlag
    from platform_kit.flags.declaration import NumberFlag as NumberFlag
    from platform_kit.flags.declaration import StringFlag as StringFlag
    from platform_kit.flags.findings import Finding as Finding
    from platform_kit.flags.findings import check as check
    from platform_kit.flags.flagset import FlagSet as FlagSet
    from platform_kit.flags.location import flags_file as flags_file
    from platform_kit.flags.provider import FlagProvider as FlagProvider

_HOMES = {
    "BooleanFlag": "declaration",
    "Finding": "findings",
    "FlagClient": "client",
    "FlagProvider": "provider",
    "FlagSet": "flagset",
    "NumberFlag": "declaration",
    "StringFlag": "declaration",
    "check": "findings",
    "flags_file": "location",
}

if not TYPE_CHECKING:  # else mypy would take any misspelt name for an `object`

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'platform_kit.flags' has no attribute {name!r}")
        return getattr(import_module(f"platform_kit.flags.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
