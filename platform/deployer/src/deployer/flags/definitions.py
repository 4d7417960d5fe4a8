"""A service's flags' file in the form of flagd: who gets a variant is changed, all else stays as it is.

A share is the weight of a variant in the flag's `fractional`, the operator by which flagd spreads callers
over variants (https://flagd.dev/reference/custom-operations/fractional-operation); the rest gets the default
variant. Rules around it, such as one that gives testers the variant, are kept.
"""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from deployer.errors import InputError

FRACTIONAL = "fractional"
DIGEST_LENGTH = 12  # of the SHA-256 that instances report: enough to tell two files apart


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of one service; each change is another value."""

    tree: dict[str, Any]

    @property
    def keys(self) -> tuple[str, ...]:
        """The flags' keys, in the order of the file."""
        return tuple(self.tree["flags"])

    @property
    def text(self) -> str:
        """The file's text."""
        return json.dumps(self.tree, indent=2, ensure_ascii=False) + "\n"

    @property
    def digest(self) -> str:
        """What an instance reports when exactly this file is in force there."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:DIGEST_LENGTH]

    def treatment(self, key: str, variant: str | None = None) -> str:
        """Return the variant that is rolled out: the one asked for, or what is `true` of an on-off flag.

        Raises InputError `flag-unknown` or `variant-unknown`.
        """
        variants = self._of(key).get("variants", {})
        on = [name for name, value in variants.items() if value is True]
        if variant is None and len(on) == 1:
            return str(on[0])
        if variant in variants and variant != self.control(key):
            return str(variant)
        others = sorted(name for name in variants if name != self.control(key))
        raise InputError(
            "variant-unknown",
            f"flag {key} has no variant {variant} beside its default"
            if variant
            else f"flag {key} is no on-off flag: which variant is to be rolled out",
            hint=f"say one of them: --variant {' | '.join(others)}",
        )

    def usual_treatment(self, key: str) -> str:
        """Return the variant that is rolled out when none is named; of several, the first."""
        variants = self._of(key)["variants"]
        on = [name for name, value in variants.items() if value is True]
        others = [name for name in variants if name != self.control(key)]
        return str((on or others or [self.control(key)])[0])

    def ruled(self, key: str) -> bool:
        """Whether rules of the flag's own decide for some callers, beside a share of all."""
        targeting = self._of(key).get("targeting") or {}
        return bool(targeting) and set(targeting) != {FRACTIONAL}

    def control(self, key: str) -> str:
        """Return the variant of all others: the default one."""
        return str(self._of(key).get("defaultVariant", ""))

    def share(self, key: str, variant: str) -> int:
        """Return the share of callers that gets a variant by the flag's spread, in percent."""
        flag = self._of(key)
        if flag.get("state") == "DISABLED":
            return 0
        spread = _spread_in(flag.get("targeting"))
        if spread is None:
            return 100 if self.control(key) == variant else 0
        weights = {str(each[0]): _weight(each) for each in spread if isinstance(each, list)}
        return round(100 * weights.get(variant, 0) / max(1, sum(weights.values())))

    def with_share(self, key: str, variant: str, percent: int) -> Flags:
        """Return the flags with a variant for that share of callers, and the default one for the rest.

        The flag is enabled by that. Raises InputError `flag-not-spread` when its rules have no place
        for a share, or more than one.
        """
        changed = Flags(deepcopy(self.tree))
        flag = changed._of(key)
        shares = [[variant, percent], [self.control(key), 100 - percent]]
        flag["state"] = "ENABLED"
        if not flag.get("targeting"):
            flag["targeting"] = {FRACTIONAL: shares}
            return changed
        spreads = list(_spreads(flag["targeting"]))
        if len(spreads) != 1:
            raise InputError(
                "flag-not-spread",
                f"the rules of flag {key} have {len(spreads)} places for a share",
                hint=f'write exactly one {{"{FRACTIONAL}": [...]}} into them, or leave them out',
            )
        # What comes before the shares says by what callers are told apart.
        spreads[0][:] = [*(each for each in spreads[0] if not _is_share(each)), *shares]
        return changed

    def merged(self, shipped: Flags) -> Flags:
        """Return these flags with those that a release has been shipped with, where they are missing."""
        tree = deepcopy(self.tree)
        for key, flag in shipped.tree["flags"].items():
            tree["flags"].setdefault(key, deepcopy(flag))
        return Flags(tree)

    def _of(self, key: str) -> dict[str, Any]:
        if key not in self.tree["flags"]:
            raise InputError(
                "flag-unknown",
                f"there is no flag {key}",
                hint=f"one of: {' '.join(self.keys) or 'none, the service has no flags'}",
            )
        found: dict[str, Any] = self.tree["flags"][key]
        return found


def parse_flags(text: str, *, where: str) -> Flags:
    """Return the flags of a file; raise InputError `flags-invalid` when it is none.

    Only as far as shares are concerned: instances check the rest, and keep what they have.
    """
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise _invalid(where, f"it is no JSON: {error}") from error
    flags = tree.get("flags") if isinstance(tree, dict) else None
    if not isinstance(flags, dict):
        raise _invalid(where, 'it has no "flags"')
    for key, flag in flags.items():
        if not isinstance(flag, dict) or not isinstance(flag.get("variants"), dict):
            raise _invalid(where, f"flag {key} has no variants")
    return Flags(tree)


def _invalid(where: str, reason: str) -> InputError:
    return InputError(
        "flags-invalid",
        f"{where} holds no flags: {reason}",
        hint="the form is flagd's: https://flagd.dev/reference/flag-definitions",
    )


def _spread_in(tree: object) -> list[Any] | None:
    return next(iter(_spreads(tree)), None)


def _spreads(tree: object) -> list[list[Any]]:
    """Return the arguments of every `fractional` in a rule, from the outside in."""
    if isinstance(tree, list):
        return [found for each in tree for found in _spreads(each)]
    if not isinstance(tree, dict):
        return []
    own = [
        arguments
        for name, arguments in tree.items()
        if name == FRACTIONAL and isinstance(arguments, list)
    ]
    return own + [found for each in tree.values() for found in _spreads(each)]


def _is_share(argument: object) -> bool:
    return (
        isinstance(argument, list)
        and len(argument) in {1, 2}
        and isinstance(argument[0], str | type(None))
    )


def _weight(share: list[Any]) -> int:
    return int(share[1]) if len(share) > 1 else 1
