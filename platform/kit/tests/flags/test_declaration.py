"""Declared flags: what they decide, for whom, and what they count."""

import contextlib
import sys
import threading
from datetime import date

import pytest
from flag_files import ALL, boolean, content, defined, definition, number, split, targeted, text

from platform_kit.errors import FlagInvalid
from platform_kit.flags import BooleanFlag, FlagSet
from platform_kit.flags.definition import parse_flags
from platform_kit.flags.operation import Context


def test_a_flag_has_its_default_until_a_file_says_otherwise():
    """Also where no app was ever made, as in the test of one function."""
    assert [boolean(default=True).on("ada"), boolean().on("ada")] == [True, False]


def test_a_flag_without_rule_is_its_default_variant():
    """For everybody."""
    assert defined(boolean(), definition(defaultVariant="on")).on("ada") is True


@pytest.mark.parametrize("default", [True, False])
def test_a_disabled_flag_is_the_codes_default(default):
    """The kill switch: whatever the variants and the rule are."""
    tree = targeted({"if": [True, "on"]}, state="DISABLED", defaultVariant="on")

    assert defined(boolean(default=default), tree).on("ada") is default


@pytest.mark.parametrize("default", [True, False])
def test_without_a_default_variant_the_codes_default_stands_in(default):
    """With a rule that names nothing, and without one."""
    flag = boolean(default=default)
    states = {
        defined(flag, definition(defaultVariant=None)).on("ada"),
        defined(flag, targeted({"if": [False, "on"]}, defaultVariant=None)).on("ada"),
    }

    assert states == {default}


def test_a_flag_that_left_the_file_is_the_codes_default_again(flags, listing):
    """As it was before it came."""
    flags.take(parse_flags(content(new_listing=definition(defaultVariant="on"))))
    before = listing.on("ada")
    flags.take({})

    assert (before, listing.on("ada")) == (True, False)


def test_a_rule_sees_the_key_and_the_context():
    """By their names, to any depth."""
    tree = {"if": [{"and": [{"==": [{"var": "targetingKey"}, "ada"]}, {"var": "a.b"}]}, "on"]}
    flag = defined(boolean(), targeted(tree))

    assert flag.on("ada", {"a": {"b": 1}}) is True
    assert [flag.on("ada"), flag.on("bob", {"a": {"b": 1}}), flag.on()] == [False] * 3


def test_texts_and_numbers_are_flags_too():
    """With as many variants as there are."""
    layout, size = text(), number()
    trees = {
        "layout": targeted(
            {"fractional": [["list", 1], ["grid", 1], ["map", 1]]},
            variants={"list": "list", "grid": "grid", "map": "map"},
            defaultVariant="list",
        ),
        "page_size": definition(variants={"few": 10, "some": 12.5}, defaultVariant="some"),
    }
    FlagSet("product", layout, size).take(parse_flags(content(**trees)))

    assert {layout.value(f"user-{number}") for number in range(100)} == {"list", "grid", "map"}
    assert size.value() == 12.5


def test_variants_of_another_type_are_refused_and_nothing_changes(flags, listing):
    """Else the code would get what it cannot use."""
    flags.take(parse_flags(content(new_listing=definition(defaultVariant="on"))))
    other = definition(variants={"on": "yes"}, defaultVariant="on")
    with pytest.raises(FlagInvalid, match="is of type string, and the code declares boolean"):
        flags.take(parse_flags(content(new_listing=other)))

    assert listing.on("ada") is True


def test_one_flag_that_does_not_fit_holds_up_all():
    """Half of a change is no change that anybody asked for."""
    one, other = boolean("one"), text("other")
    trees = parse_flags(content(one=definition(defaultVariant="on"), other=definition()))
    with pytest.raises(FlagInvalid, match=r"flags\.other\.variants"):
        FlagSet("product", one, other).take(trees)

    assert one.on("ada") is False


def test_decisions_are_counted_by_variant(listing):
    """The code's default by a name of its own."""
    defined(listing, definition(state="DISABLED")).on("ada")
    defined(listing, split(100))
    for _ in range(3):
        listing.on("ada")
    defined(listing, split(0)).value("ada")

    assert listing.counts.numbers() == {"(default)": 1, "on": 3, "off": 1}


def test_a_result_that_is_no_variant_counts_as_the_codes_default(listing):
    """What the rule was to say, nobody knows."""
    defined(listing, targeted({"var": "plan"})).on("ada", {"plan": "gold"})

    assert listing.counts.numbers()["(default)"] == 1


@pytest.fixture
def restless():
    """Threads that change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_no_decision_goes_uncounted_among_threads_and_changes(flags, listing):
    """Eight threads ask while the definition changes: exact, without a lock."""
    definitions = [parse_flags(content(new_listing=split(share))) for share in (0, 50, 100)]
    threads, asked, over = 8, 20_000, threading.Event()
    wrong = []

    def ask():
        wrong.extend(
            value
            for value in (listing.on("ada") for _ in range(asked))
            if value not in (True, False)
        )

    def change():
        while not over.is_set():
            for each in definitions:
                flags.take(each)

    changing = threading.Thread(target=change)
    asking = [threading.Thread(target=ask) for _ in range(threads)]
    changing.start()
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    over.set()
    changing.join()

    assert sum(listing.counts.numbers().values()) == threads * asked
    assert wrong == []


@pytest.mark.usefixtures("restless")
def test_a_flag_that_is_always_on_is_never_off_while_its_file_changes(flags, listing):
    """From one share to another the callers that both have keep it: no moment is in between."""
    both = [parse_flags(content(new_listing=split(share))) for share in (60, 90)]
    flags.take(both[0])
    user = next(f"user-{n}" for n in range(100) if listing.on(f"user-{n}"))
    seen, over = set(), threading.Event()

    def change():
        while not over.is_set():
            for each in both:
                flags.take(each)

    changing = threading.Thread(target=change)
    changing.start()
    for _ in range(20_000):
        seen.add(listing.on(user))
    over.set()
    changing.join()

    assert seen == {True}


def test_an_override_is_for_everybody_while_it_lasts(listing):
    """Also around another one, and after an error in it."""
    defined(listing, split(0))
    seen = []
    with contextlib.suppress(ZeroDivisionError), listing.override(True):
        seen.append(listing.on("ada"))
        with listing.override(False):
            seen.append(listing.on("ada"))
        seen.append(listing.on("bob"))
        raise ZeroDivisionError

    assert [*seen, listing.on("ada")] == [True, False, True, False]


def test_an_override_stays_when_the_file_changes(listing):
    """And what the file says now is in force afterwards."""
    with listing.override(False):
        defined(listing, definition(defaultVariant="on"))
        during = listing.on("ada")

    assert (during, listing.on("ada")) == (False, True)


def test_what_is_overridden_is_not_counted(listing):
    """No test leaves numbers that look like a caller's."""
    with listing.override(True):
        listing.on("ada")

    assert listing.counts.numbers() == {"(default)": 0}


def test_an_override_is_of_the_flags_type():
    """A test must not see what no caller could."""
    with pytest.raises(TypeError, match="not a string: 7"), text().override(7):
        pass


@pytest.mark.parametrize("key", ["", "New", "new_listing", "new listing", "-new", "new--listing"])
def test_a_key_that_is_no_words_is_refused(key):
    """It goes into a label, a file and a command."""
    with pytest.raises(ValueError, match="words in lower case"):
        boolean(key)


@pytest.mark.parametrize("default", ["off", 0, None])
def test_a_default_of_another_type_is_refused(default):
    """Where it is declared: 0 is no truth."""
    with pytest.raises(TypeError, match="flag 'new-listing': the default is no boolean"):
        BooleanFlag("new-listing", default=default, **ALL)


def test_a_flag_says_whose_it_is_and_when_it_has_to_be_gone():
    """Without a default: nobody remembers later."""
    with pytest.raises(TypeError, match="'owner', 'expires', and 'description'"):
        BooleanFlag("new-listing", default=False)
    assert boolean().expires == date(2999, 1, 1)


def test_a_key_is_declared_once():
    """The second would have the first one's file."""
    with pytest.raises(ValueError, match="flag 'new-listing' is declared twice"):
        FlagSet("product", boolean(), boolean())


def test_a_set_finds_its_flags(flags, listing):
    """By key, in the order of their declaration."""
    assert (flags.get("new-listing"), flags.get("other"), list(flags)) == (listing, None, [listing])


def test_a_context_is_any_mapping():
    """And nothing is written into it."""
    context: Context = {"plan": "gold"}
    flag = defined(boolean(), targeted({"if": [{"==": [{"var": "plan"}, "gold"]}, "on"]}))

    assert (flag.on("ada", context), context) == (True, {"plan": "gold"})
