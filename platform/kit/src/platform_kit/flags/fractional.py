"""flagd's `fractional`: each caller is in one of the variants, by weight, and stays in it."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from platform_kit.flags.buckets import MOST_WEIGHT, Hash, hash_in, hash_of
from platform_kit.flags.operation import Compiled, Context, Operation, Result, Rule
from platform_kit.flags.place import Place


def fractional(operation: Operation) -> Compiled:
    """Return the variant in whose share of the weights the targeting key falls.

    Variants have their places in the order of the file. A first argument that is no list is what to hash instead,
    without the flag's key: `{"var": "email"}`. Null where there is nothing to hash.
    """
    operation.takes(1)
    own = not isinstance(operation.arguments[0], list)
    shares = [
        _share(argument, operation.place.at(number))
        for number, argument in enumerate(operation.arguments)
        if not (own and number == 0)
    ]
    results = tuple(result for result, _ in shares)
    ends = list(accumulate(weight for _, weight in shares))
    if not ends or not 0 < ends[-1] <= MOST_WEIGHT:
        total = ends[-1] if ends else 0
        raise operation.place.invalid(f"has weights of 1 to {MOST_WEIGHT} in all, got {total}")
    hashed = hash_of(operation.rule(0)) if own else hash_in(operation.place.flag)
    return Compiled(_spread(hashed, [result.value for result in results], ends), results)


def _spread(hashed: Hash, variants: list[object], ends: list[int]) -> Rule:
    total = ends[-1]

    def variant_of(key: str, context: Context) -> object:
        number = hashed(key, context)
        return None if number is None else variants[bisect_right(ends, number * total >> 32)]

    return variant_of


def _share(argument: object, place: Place) -> tuple[Result, int]:
    if not isinstance(argument, list) or not 1 <= len(argument) <= 2:
        raise place.invalid(f'is a variant and its weight, such as ["on", 10], got {argument!r}')
    variant, weight = (*argument, 1)[:2]
    if variant is not None and not isinstance(variant, str | bool):
        raise place.at(0).invalid(f"is a variant's name, got {variant!r}")
    if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
        raise place.at(1).invalid(f"is a whole number, 0 or more, got {weight!r}")
    return Result(variant, place.at(0)), weight
