"""Where the code's declarations and the flags' file do not go together, for tests and for whoever lists flags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from platform_kit.errors import FlagInvalid, FlagsError
from platform_kit.flags.definition import Definitions, parse_flags, read_flags
from platform_kit.flags.flagset import FlagSet
from platform_kit.flags.location import flags_file


class FindingKind(StrEnum):
    """What can be wrong."""

    FILE_BROKEN = "file-broken"
    UNKNOWN = "unknown"
    MISSING = "missing"
    WRONG_TYPE = "wrong-type"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; the flag is empty where it is the file as a whole."""

    kind: FindingKind
    flag: str
    text: str


def check(flags: FlagSet, path: Path | None = None, *, today: date | None = None) -> list[Finding]:
    """Return what is wrong with a service's flags and a file, by default the one that it is shipped with.

    Flags are said to be expired only where `today` is given: a unit test that fails by itself some
    morning would hold up a release that has nothing to do with it.
    """
    found = list(_expired(flags, today)) if today else []
    try:
        definitions = parse_flags(read_flags(path or flags_file(flags.service)))
    except FlagInvalid as error:
        return [*found, Finding(FindingKind.FILE_BROKEN, error.flag, str(error))]
    except FlagsError as error:
        return [*found, Finding(FindingKind.FILE_BROKEN, "", str(error))]
    return [*found, *_apart(flags, definitions)]


def _expired(flags: FlagSet, today: date) -> Iterator[Finding]:
    for flag in flags:
        if flag.expires <= today:
            text = f"flag {flag.key!r} of {flag.owner} was to be gone by {flag.expires}: remove it, or say why it stays"
            yield Finding(FindingKind.EXPIRED, flag.key, text)


def _apart(flags: FlagSet, definitions: Definitions) -> Iterator[Finding]:
    for flag in flags:
        definition = definitions.get(flag.key)
        if definition is None:
            text = f"flag {flag.key!r} is declared and not in the file: everybody gets {flag.default!r}"
            yield Finding(FindingKind.MISSING, flag.key, text)
            continue
        try:
            flag.refuse_other_types(definition)
        except FlagInvalid as error:
            yield Finding(FindingKind.WRONG_TYPE, flag.key, str(error))
    for key in definitions:
        if flags.get(key) is None:
            text = f"flag {key!r} is in the file and not declared: nobody asks it"
            yield Finding(FindingKind.UNKNOWN, key, text)
