"""The kit's client beside OpenFeature's own: whatever is asked, the same details."""

import pytest
from flag_files import boolean, content, definition, number, split, targeted, text
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationOptions
from openfeature.hook import Hook
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from platform_kit.flags import FlagClient, FlagProvider, FlagSet
from platform_kit.flags.definition import parse_flags

GOLD = EvaluationContext(attributes={"plan": "gold"})
FOR_GOLD = targeted({"if": [{"==": [{"var": "plan"}, "gold"]}, "on", "off"]})
FILES = {
    "nothing": {},
    "static": {
        "new_listing": definition(defaultVariant="on"),
        "layout": definition(variants={"grid": "grid"}, defaultVariant="grid"),
        "page_size": definition(variants={"few": 10, "some": 12.5}, defaultVariant="few"),
    },
    "a fraction": {
        "page_size": definition(variants={"few": 10, "some": 12.5}, defaultVariant="some")
    },
    "a share": {"new_listing": split(50)},
    "disabled": {"new_listing": definition(state="DISABLED")},
    "by its context": {"new_listing": FOR_GOLD},
    "a rule without a variant": {
        "layout": targeted({"var": "plan"}, variants={"grid": "grid"}, defaultVariant=None)
    },
}
QUESTIONS = [
    ("get_boolean_details", "new-listing", False),
    ("get_boolean_details", "new-listing", "no truth"),
    ("get_boolean_details", "layout", True),
    ("get_boolean_details", "absent", True),
    ("get_string_details", "layout", "list"),
    ("get_string_details", "layout", 7),
    ("get_integer_details", "page-size", 20),
    ("get_integer_details", "new-listing", 1),
    ("get_float_details", "page-size", 20.0),
    ("get_float_details", "page-size", 20),
    ("get_object_details", "new-listing", {}),
    ("get_object_details", "absent", []),
]
CALLERS = [None, EvaluationContext(), EvaluationContext("ada"), EvaluationContext("bob"), GOLD]


class Witness(Hook):
    """Notes what it is called for, and gives every question a plan."""

    def __init__(self):
        self.stages = []

    def before(self, *_, **__):
        self.stages.append("before")
        return GOLD

    def after(self, *_, **__):
        self.stages.append("after")

    def error(self, *_, **__):
        self.stages.append("error")

    def finally_after(self, *_, **__):
        self.stages.append("finally")


@pytest.fixture
def flags():
    return FlagSet("product", boolean(), text(), number())


@pytest.fixture
def clients(flags):
    """OpenFeature's and the kit's, of the same provider."""
    api.set_provider_and_wait(FlagProvider(flags), "product")
    yield api.get_client("product"), FlagClient("product")
    api.shutdown()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: "-".join(map(str, question)))
@pytest.mark.parametrize("file", FILES)
def test_both_say_the_same(clients, flags, file, question):
    """Value, variant, reason and error; whoever asks. What counts it has counted both."""
    flags.take(parse_flags(content(**FILES[file])))
    method, key, default = question
    for caller in CALLERS:
        theirs, ours = (getattr(client, method)(key, default, caller) for client in clients)
        assert (ours.flag_key, ours.value, ours.variant, ours.reason, ours.error_code) == (
            theirs.flag_key, theirs.value, theirs.variant, theirs.reason, theirs.error_code
        )  # fmt: skip
        assert type(ours.value) is type(theirs.value)
        assert bool(ours.error_message) is bool(theirs.error_message)

    assert all(number % 2 == 0 for flag in flags for number in flag.counts.numbers().values())


def globally(client):
    api.set_evaluation_context(GOLD)


def for_the_client(client):
    client.context = GOLD


def for_the_transaction(client):
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    api.set_transaction_context(GOLD)


@pytest.mark.parametrize("say", [globally, for_the_client, for_the_transaction])
def test_a_context_that_is_said_elsewhere_is_heard(clients, flags, say):
    """As OpenFeature merges it."""
    flags.take(parse_flags(content(new_listing=FOR_GOLD)))
    _, client = clients
    before = client.get_boolean_value("new-listing", False, EvaluationContext("ada"))
    say(client)

    assert before is False
    assert client.get_boolean_value("new-listing", False, EvaluationContext("ada")) is True


@pytest.mark.parametrize("where", ["api", "client", "question"])
def test_a_hook_is_called_at_every_stage(clients, flags, where):
    """Wherever it was put, and what it says of the context is heard."""
    flags.take(parse_flags(content(new_listing=FOR_GOLD)))
    _, client = clients
    witness = Witness()
    if where == "api":
        api.add_hooks([witness])
    elif where == "client":
        client.add_hooks([witness])
    options = FlagEvaluationOptions(hooks=[witness]) if where == "question" else None
    on = client.get_boolean_value("new-listing", False, None, options)
    client.get_boolean_value("absent", False, None, options)

    assert on is True
    assert witness.stages == ["before", "after", "finally", "before", "error", "finally"]


def test_another_provider_is_asked_as_by_openfeature_s_client(flags):
    """The client is no reason to stay with the kit's flags."""
    api.set_provider_and_wait(InMemoryProvider({"f": InMemoryFlag("on", {"on": True})}), "other")

    assert FlagClient("other").get_boolean_details("f", False).variant == "on"
    api.shutdown()


def test_a_provider_that_was_shut_down_is_not_asked(clients, flags):
    """Then it is nobody's, and the caller's default holds."""
    flags.take(parse_flags(content(new_listing=definition(defaultVariant="on"))))
    _, client = clients
    before = client.get_boolean_value("new-listing", False)
    api.shutdown()

    assert (before, client.get_boolean_value("new-listing", False)) == (True, False)
