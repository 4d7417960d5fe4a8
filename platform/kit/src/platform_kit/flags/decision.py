"""How a definition decides: by its rule, and a table from what that names to the outcomes that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from platform_kit.flags.definition import Definition
from platform_kit.flags.operation import Context, Rule
from platform_kit.flags.outcome import CODE, Counts, Decide, Outcome

T = TypeVar("T")

# OpenFeature's words, but not its names: the package is imported only by who uses its client.
DEFAULT = "DEFAULT"
DISABLED = "DISABLED"
ERROR = "ERROR"
STATIC = "STATIC"
TARGETING_MATCH = "TARGETING_MATCH"


def decision(definition: Definition | None, default: T, counts: Counts) -> Decide[T]:
    """Return how a definition decides. Without one, or with one that is disabled, the code's default is for all.

    The variants are of the default's type: whoever calls has seen to that.
    """
    variants: Mapping[str, Any] = definition.variants if definition else {}

    def outcome(variant: str | None, reason: str) -> Outcome[T]:
        if variant is None:
            return Outcome(default, None, reason=reason, count=counts.of(CODE))
        return Outcome(variants[variant], variant, reason=reason, count=counts.of(variant))

    if definition is None:
        return always(outcome(None, DEFAULT))
    if not definition.enabled:
        return always(outcome(None, DISABLED))
    if definition.rule is None:
        reason = STATIC if definition.default_variant else DEFAULT
        return always(outcome(definition.default_variant, reason))
    return _looked_up(
        definition.rule,
        {
            **{name: outcome(name, TARGETING_MATCH) for name in variants},
            None: outcome(definition.default_variant, DEFAULT),
        },
        otherwise=outcome(None, ERROR),
    )


def always(outcome: Outcome[T]) -> Decide[T]:
    """Return the decision that is the same for everybody."""
    return lambda _key, _context: outcome


def _looked_up(
    rule: Rule, outcomes: Mapping[str | None, Outcome[T]], *, otherwise: Outcome[T]
) -> Decide[T]:
    find: Callable[..., Outcome[T]] = outcomes.get

    def decide(key: str, context: Context) -> Outcome[T]:
        return find(rule(key, context), otherwise)

    return decide
