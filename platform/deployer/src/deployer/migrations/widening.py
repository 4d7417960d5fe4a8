"""Which changes of a column's type leave its table as it is: pure, and held by measurement.

PostgreSQL rewrites a table when the values have to change, and leaves it when the old bytes are
valid values of the new type: a longer varchar, text, a numeric with more digits before the comma.
"""

from __future__ import annotations

from deployer.migrations.operations import Type

LENGTH = {"varchar", "varbit"}
FRACTION = {"timestamp", "timestamptz", "time", "timetz", "interval"}
# Both ways, without modifiers: the same bytes mean the same.
ALIKE = {("varchar", "text"), ("text", "varchar"), ("cidr", "inet"), ("xml", "text")}
DEFAULT_FRACTION = 6  # of a timestamp without a precision: microseconds


def keeps_the_table(old: Type, new: Type) -> bool:
    """Whether the change is one of the catalogue only."""
    if old.name != new.name:
        return (old.name, new.name) in ALIKE and not new.modifiers
    if old.modifiers == new.modifiers:
        return True
    if new.name in LENGTH:
        return not new.modifiers or (bool(old.modifiers) and new.modifiers >= old.modifiers)
    if new.name in FRACTION:
        return _fraction(new) >= _fraction(old)
    if new.name == "numeric":
        return not new.modifiers or _wider(old, new)
    return False


def _wider(old: Type, new: Type) -> bool:
    if not old.modifiers:
        return False
    (digits, scale), (more, same) = _numeric(old), _numeric(new)
    return more >= digits and same == scale


def _numeric(numeric: Type) -> tuple[int, int]:
    digits, *scale = numeric.modifiers
    return digits, scale[0] if scale else 0


def _fraction(moment: Type) -> int:
    return moment.modifiers[-1] if moment.modifiers else DEFAULT_FRACTION
