"""Targeting rules: what flagd says, and no error whatever a context holds."""

import json

import pytest
from flag_files import boolean, defined, targeted
from hypothesis import given
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core.targeting import targeting as flagd
from openfeature.evaluation_context import EvaluationContext

from platform_kit.flags.place import Place
from platform_kit.flags.rules import OPERATORS, compile_rule

CONTEXT = {
    "plan": "gold",
    "email": "ada@example.com",
    "age": 42,
    "beta": True,
    "release": "1.10.0",
    "empty": "",
    "address": {"country": "de"},
}


def ours(tree, key="ada", **context):
    return compile_rule(tree, Place.of("f")).rule(key, context)


def theirs(tree, key="ada", **context):
    return flagd("f", tree, EvaluationContext(key, context))


RULES = [
    {"var": "plan"},
    {"var": ["plan"]},
    {"var": ["absent", "silver"]},
    {"var": ["plan", "silver"]},
    {"var": "address.country"},
    {"var": "address.country.code"},
    {"var": "absent"},
    {"var": "targetingKey"},
    {"var": "$flagd.flagKey"},
    {"==": [{"var": "plan"}, "gold"]},
    {"==": [{"var": "plan"}, "Gold"]},
    {"==": [{"var": "age"}, "42"]},
    {"==": [{"var": "beta"}, True]},
    {"==": [{"var": "beta"}, 1]},
    {"==": [{"var": "beta"}, "yes"]},
    {"==": [{"var": "absent"}, None]},
    {"==": [{"var": "absent"}, "gold"]},
    {"===": [{"var": "age"}, "42"]},
    {"===": [{"var": "age"}, 42]},
    {"!=": [{"var": "plan"}, "gold"]},
    {"!=": [{"var": "age"}, 41]},
    {"!==": [{"var": "age"}, "42"]},
    {"<": [{"var": "age"}, 43]},
    {"<": [{"var": "absent"}, 1]},
    {"<=": [{"var": "age"}, 42]},
    {">": [{"var": "age"}, 42]},
    {">": [{"var": "plan"}, 1]},
    {">": [{"var": "plan"}, "copper"]},
    {">=": [{"var": "age"}, "42"]},
    {"in": [{"var": "plan"}, ["gold", "silver"]]},
    {"in": [{"var": "plan"}, ["copper"]]},
    {"in": [{"var": "absent"}, ["copper"]]},
    {"in": [{"var": "age"}, [41, 42]]},
    {"in": [{"var": "plan"}, [{"var": "plan"}]]},
    {"in": ["@example.com", {"var": "email"}]},
    {"in": [4, {"var": "release"}]},
    {"in": ["a", {"var": "age"}]},
    {"and": [True, {"var": "plan"}]},
    {"and": [{"var": "empty"}, {"var": "plan"}]},
    {"or": [{"var": "empty"}, {"var": "plan"}]},
    {"or": [{"var": "empty"}, 0]},
    {"!": {"var": "empty"}},
    {"!": [{"var": "plan"}]},
    {"if": [{"var": "beta"}, "on"]},
    {"if": [{"var": "absent"}, "on"]},
    {"if": [{"var": "absent"}, "on", "off"]},
    {"if": [{"var": "absent"}, "on", {"var": "beta"}, "beta", "off"]},
    {"if": [{"var": "absent"}, "on", {"var": "empty"}, "beta"]},
    {"cat": ["a", 1, {"var": "plan"}, 1.5, None]},
    {"starts_with": [{"var": "email"}, "ada@"]},
    {"starts_with": [{"var": "age"}, "4"]},
    {"ends_with": [{"var": "email"}, "@example.org"]},
    {"ends_with": [{"var": "email"}, 7]},
    {"sem_ver": [{"var": "release"}, ">", "1.9.0"]},
    {"sem_ver": [{"var": "release"}, "=", "v1.10"]},
    {"sem_ver": [{"var": "release"}, "!=", "1.10.0+build"]},
    {"sem_ver": [{"var": "release"}, "<", "1.10.0-rc.1"]},
    {"sem_ver": ["1.10.0-rc.1", "<=", {"var": "release"}]},
    {"sem_ver": ["1.10.0-rc.9", "<", "1.10.0-rc.10"]},
    {"sem_ver": [{"var": "release"}, "^", "1.0.0"]},
    {"sem_ver": [{"var": "release"}, "~", "1.9.0"]},
    {"sem_ver": [2, ">=", "1.9"]},
    {"sem_ver": [{"var": "absent"}, "=", "1.9.0"]},
    {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}, ["a", 1], ["b", 1]]},
    {"fractional": [["a"], ["b"], ["c"]]},
    {"if": [{"==": [{"var": "plan"}, "gold"]}, {"fractional": [["a", 1], ["b", 1]]}, "c"]},
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("tree", RULES, ids=json.dumps)
def test_a_rule_says_what_flagd_says(tree):
    """Their code runs beside."""
    assert ours(tree, **CONTEXT) == theirs(tree, **CONTEXT)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_no_operator_goes_without_such_a_rule(name):
    """Whoever adds one adds a row above."""
    assert any(f'"{name}"' in json.dumps(tree) for tree in RULES)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            {"==": [{"var": "absent"}, 0]},
            False,
        ),  # flagd's Python makes null a 0, JavaScript does not
        ({"<": [{"var": "plan"}, None]}, False),
        ({"in": [True, [1]]}, False),  # for Python they are equal
        ({"cat": [True, ["a"]]}, "true"),  # for Python "True['a']"
    ],
)
def test_where_flagd_follows_python_we_follow_json_logic(tree, expected):
    """Rules mean the same to flagd's other implementations."""
    assert ours(tree, **CONTEXT) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=6,
)


@given(
    tree=st.sampled_from(RULES),
    key=st.text(),
    context=st.fixed_dictionaries({}, optional=dict.fromkeys(CONTEXT, VALUES)),
)
def test_no_context_makes_a_rule_fail(tree, key, context):
    """What callers send is compared as false or as null, and raises nothing."""
    ours(tree, key, **context)


@given(context=st.fixed_dictionaries({}, optional=dict.fromkeys(CONTEXT, VALUES)))
def test_whatever_a_rule_results_in_the_flag_has_a_value(context):
    """Of the right type: a result that is no variant gives the code's default."""
    flag = defined(boolean(default=True), targeted({"var": "plan"}))

    assert isinstance(flag.on("ada", context), bool)
    assert flag.on("ada", {"plan": "gold"}) is True


def test_a_rule_can_wait_for_a_time(monkeypatch):
    """`$flagd.timestamp` is the second of the decision."""
    tree = {"if": [{">=": [{"var": "$flagd.timestamp"}, 1_800_000_000]}, "on", "off"]}
    flag = defined(boolean(), targeted(tree))
    states = []
    for now in (1_799_999_999.9, 1_800_000_000.0):
        monkeypatch.setattr("time.time", lambda now=now: now)
        states.append(flag.on("ada"))

    assert states == [False, True]


def test_a_truth_names_the_variant_of_that_name():
    """Flagd's shorthand, without an `if`."""
    tree = targeted({"==": [{"var": "plan"}, "gold"]}, variants={"true": True, "false": False})
    flag = defined(boolean(), {**tree, "defaultVariant": "false"})

    assert [flag.on("ada", {"plan": plan}) for plan in ("gold", "silver")] == [True, False]
