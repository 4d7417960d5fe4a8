"""The kit's flags behind OpenFeature's API: the same decisions, in its words."""

import pytest
from flag_files import boolean, content, definition, number, split, targeted, text
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from platform_kit.flags import FlagProvider, FlagSet
from platform_kit.flags.definition import parse_flags

USERS = [f"user-{number}" for number in range(1_000)]


@pytest.fixture
def everything():
    return FlagSet("product", boolean(), text(), number())


@pytest.fixture
def client(everything):
    api.set_provider_and_wait(FlagProvider(everything), "product")
    yield api.get_client("product")
    api.shutdown()


@pytest.fixture
def define(everything):
    def define(**trees):
        everything.take(parse_flags(content(**trees)))

    return define


def test_the_client_decides_as_the_flag_does(client, define, everything):
    """For each of a thousand callers."""
    define(new_listing=split(10))
    ours = [everything.get("new-listing").on(user) for user in USERS]
    theirs = [
        client.get_boolean_value("new-listing", False, EvaluationContext(user)) for user in USERS
    ]

    assert ours == theirs
    assert 0 < sum(ours) < 200


def test_a_decision_through_the_client_is_counted(client, define, everything):
    """Once."""
    define(new_listing=split(100))
    client.get_boolean_value("new-listing", False, EvaluationContext("ada"))

    assert everything.get("new-listing").counts.numbers()["on"] == 1


def test_a_rule_sees_the_context(client, define):
    """Its attributes, and what the client was given."""
    define(new_listing=targeted({"if": [{"==": [{"var": "plan"}, "gold"]}, "on"]}))
    gold = EvaluationContext("ada", {"plan": "gold"})

    assert client.get_boolean_value("new-listing", False, gold) is True
    assert client.get_boolean_value("new-listing", False) is False


@pytest.mark.parametrize(
    ("tree", "reason", "variant"),
    [
        (definition(), "STATIC", "off"),
        (targeted({"if": [True, "on"]}), "TARGETING_MATCH", "on"),
        (targeted({"if": [False, "on"]}), "DEFAULT", "off"),
        (definition(state="DISABLED"), "DISABLED", None),
        (definition(defaultVariant=None), "DEFAULT", None),
        (targeted({"if": [False, "on"]}, defaultVariant=None), "DEFAULT", None),
    ],
)
def test_the_reason_is_flagds(client, define, tree, reason, variant):
    """And the value is the caller's default where the file says nothing."""
    define(new_listing=tree)
    details = client.get_boolean_details("new-listing", True)

    assert (details.reason, details.variant, details.error_code) == (reason, variant, None)
    assert details.value is (variant != "off")


def test_every_type_has_its_method(client, define):
    """A whole number is a float too; 12.5 is no whole number."""
    define(
        layout=definition(variants={"grid": "grid"}, defaultVariant="grid"),
        page_size=definition(variants={"few": 10, "some": 12.5}, defaultVariant="few"),
    )

    assert client.get_string_value("layout", "list") == "grid"
    assert client.get_integer_value("page-size", 20) == 10
    assert client.get_float_value("page-size", 20.0) == 10.0
    assert client.get_float_details("page-size", 20.0).error_code is None


GOLD = EvaluationContext("ada", {"plan": "gold"})


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client: client.get_boolean_details("absent", True), ErrorCode.FLAG_NOT_FOUND),
        (lambda client: client.get_string_details("new-listing", ""), ErrorCode.TYPE_MISMATCH),
        (lambda client: client.get_integer_details("new-listing", 1), ErrorCode.TYPE_MISMATCH),
        (lambda client: client.get_float_details("new-listing", 1.0), ErrorCode.TYPE_MISMATCH),
        (lambda client: client.get_object_details("new-listing", {}), ErrorCode.TYPE_MISMATCH),
        (lambda client: client.get_integer_details("page-size", 1), ErrorCode.TYPE_MISMATCH),
        (lambda client: client.get_string_details("layout", "list", GOLD), ErrorCode.GENERAL),
    ],
)
def test_what_cannot_be_answered_is_the_callers_default(client, define, ask, code):
    """With OpenFeature's code: no such flag, another type, a rule that results in no variant."""
    define(
        new_listing=definition(defaultVariant="on"),
        layout=targeted({"var": "plan"}, variants={"grid": "grid"}, defaultVariant=None),
        page_size=definition(variants={"some": 12.5}, defaultVariant="some"),
    )
    details = ask(client)

    assert (details.reason, details.error_code) == ("ERROR", code)
    assert details.value in (True, "", 1, 1.0, {}, "list")


def test_an_override_holds_for_the_client_too(client, everything):
    """A test does not ask who asks."""
    with everything.get("new-listing").override(True):
        assert client.get_boolean_value("new-listing", False) is True


def test_the_provider_has_a_name(client):
    """For hooks and traces."""
    assert client.provider.get_metadata().name == "platform_kit"
