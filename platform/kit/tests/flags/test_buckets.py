"""Buckets: a caller stays where they are, and is where flagd has them."""

from flag_files import boolean, defined, split, targeted
from hypothesis import example, given
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core.targeting.custom_ops import fractional as flagd

from platform_kit.flags.place import Place
from platform_kit.flags.rules import compile_rule

KEYS = st.text(max_size=300)
USERS = [f"user-{number}" for number in range(20_000)]


def ours(flag, key, tree, **context):
    return compile_rule({"fractional": tree}, Place.of(flag)).rule(key, context)


def theirs(flag, key, tree, **context):
    evaluated = [context["by"], *tree[1:]] if tree[0] == {"var": "by"} else tree
    return flagd({"targetingKey": key, "$flagd": {"flagKey": flag}, **context}, *evaluated)


def shares():
    weights = st.lists(st.integers(0, 10_000), min_size=1, max_size=6).filter(any)
    return weights.map(lambda each: [[f"v{number}", w] for number, w in enumerate(each)])


@given(flag=KEYS, key=KEYS, tree=shares())
@example(flag="new-listing", key="x" * 23, tree=[["a", 1], ["b", 1]])
@example(flag="new-listing", key="x" * 24, tree=[["a", 1], ["b", 1]])
@example(flag="new-listing", key="x" * 255, tree=[["a", 1], ["b", 1]])
@example(flag="new-listing", key="x" * 256, tree=[["a", 1], ["b", 1]])
@example(flag="new-listing", key="x" * 65_536, tree=[["a", 1], ["b", 1]])
@example(flag="x" * 65_536, key="ключ", tree=[["a", 2**30], ["b", 2**30 - 1]])
def test_a_caller_is_in_the_variant_that_flagd_has_them_in(flag, key, tree):
    """For keys of every length and script: flagd's own code is asked beside."""
    assert ours(flag, key, tree) == theirs(flag, key, tree)


@given(
    by=KEYS | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False) | st.booleans(),
    tree=shares(),
)
@example(by=1.0, tree=[["a", 1], ["b", 1]])
@example(by=0.1, tree=[["a", 1], ["b", 1]])
@example(by=0.5, tree=[["a", 1], ["b", 1]])
@example(by=2.0**64, tree=[["a", 1], ["b", 1]])
@example(by=-(2**64), tree=[["a", 1], ["b", 1]])
def test_what_else_is_hashed_is_hashed_as_flagd_does(by, tree):
    """A text, a number or a truth of the context, without the flag's key."""
    tree = [{"var": "by"}, *tree]

    assert ours("f", "key", tree, by=by) == theirs("f", "key", tree, by=by)


@given(key=KEYS, on=st.lists(st.integers(0, 100), min_size=2, max_size=5))
def test_nobody_loses_a_flag_while_its_share_grows(key, on):
    """Whoever has it at one share has it at every greater one."""
    states = [defined(boolean(), split(share)).on(key) for share in sorted(on)]

    assert states == sorted(states)


@given(key=KEYS, on=st.integers(0, 100))
def test_the_same_caller_gets_the_same_every_time(key, on):
    """Also from another instance: nothing is drawn."""
    one, other = (defined(boolean(), split(on)) for _ in range(2))

    assert one.on(key) == other.on(key) == one.on(key)


def test_a_share_is_of_the_callers():
    """10 %, 25 % and 50 % of twenty thousand, within four standard deviations, and none is lost on the way."""
    flags = {share: defined(boolean(), split(share)) for share in (10, 25, 50)}
    having = {share: {user for user in USERS if flag.on(user)} for share, flag in flags.items()}

    assert having[10] <= having[25] <= having[50]
    for share, users in having.items():
        assert abs(len(users) / len(USERS) - share / 100) < 0.015


def test_two_flags_are_on_for_different_callers():
    """10 % of 10 %: the flag's key is in the hash."""
    one, other = defined(boolean("one"), split(10)), defined(boolean("other"), split(10))
    both = sum(one.on(user) and other.on(user) for user in USERS)

    assert abs(both / len(USERS) - 0.01) < 0.003


def test_0_percent_is_nobody_and_100_percent_is_everybody():
    """The ends are exact."""
    nobody, everybody = defined(boolean(), split(0)), defined(boolean(), split(100))

    assert not any(nobody.on(user) for user in USERS)
    assert all(everybody.on(user) for user in USERS)


def test_who_has_no_key_gets_the_default_variant():
    """Nobody in particular, and half of a surrogate pair, which JSON can carry."""
    flag = defined(boolean(), targeted({"fractional": [["off", 1]]}, defaultVariant="on"))

    assert [flag.on(key) for key in ("", "\ud800", "ada")] == [True, True, False]


def test_a_value_that_is_no_key_gets_the_default_variant():
    """A list, nothing, a number that no 64 bits hold, and half of a surrogate pair."""
    tree = {"fractional": [{"var": "by"}, ["off", 1]]}
    flag = defined(boolean(), targeted(tree, defaultVariant="on"))
    values = [["a"], None, 2**64, "\ud800"]

    assert [flag.on("ada", {"by": value}) for value in values] == [True] * 4
    assert flag.on("ada", {"by": 7}) is False
