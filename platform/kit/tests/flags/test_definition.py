"""The flags' file: flagd's form, and a place for everything that is not in it."""

import json

import pytest
from flag_files import content, definition, targeted

from platform_kit.errors import FlagInvalid, FlagsUnreadable
from platform_kit.flags.definition import Kind, parse_flags


def parsed(tree):
    (definition,) = parse_flags(content(new_listing=tree)).values()
    return definition


def test_a_file_has_flags_by_key():
    """With what flagd's editors write around them."""
    tree = {
        "$schema": "https://flagd.dev/schema/v0/flags.json",
        "metadata": {"team": "product"},
        "flags": {"one": definition(metadata={"since": "1.4.0"}), "other": definition()},
    }
    found = parse_flags(json.dumps(tree))

    assert list(found) == ["one", "other"]
    assert found["one"].kind is Kind.BOOLEAN
    assert found["one"].default_variant == "off"


@pytest.mark.parametrize(
    ("variants", "kind"),
    [
        ({"on": True, "off": False}, Kind.BOOLEAN),
        ({"a": "x", "b": ""}, Kind.STRING),
        ({"few": 10, "many": 12.5}, Kind.NUMBER),
        ({"a": {"x": 1}, "b": []}, Kind.OBJECT),
    ],
)
def test_all_variants_are_of_one_kind(variants, kind):
    """A whole number is a number."""
    assert parsed(definition(variants=variants, defaultVariant=None)).kind is kind


@pytest.mark.parametrize("default", [None, ""])
def test_a_flag_may_have_no_default_variant(default):
    """Then the code's default stands in."""
    assert parsed(definition(defaultVariant=default)).default_variant is None


def test_an_empty_rule_is_none():
    """As flagd has it."""
    assert parsed(targeted({})).rule is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is no JSON"),
        ('{"flags": {"a": {', "line 1 column"),
        ("\xff", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", 'no object with "flags"'),
        ('{"flags": []}', 'no object with "flags"'),
        ('{"flag": {}}', 'no object with "flags"'),
        ('{"flags": {}, "$evaluators": {}}', r"it has '\$evaluators'"),
        ('{"flags": {"a": {}, "a": {}}}', "it has 'a' twice"),
    ],
)
def test_a_file_that_is_none_is_refused(text, reason):
    """With what is wrong, and where the form is described."""
    with pytest.raises(FlagsUnreadable, match=reason) as refused:
        parse_flags(text.encode("latin-1"))

    assert "hint: https://flagd.dev" in str(refused.value)


@pytest.mark.parametrize(
    ("tree", "place", "reason"),
    [
        ([], "", "is an object, got []"),
        (definition(varients={}), ".varients", "is not known; there are defaultVariant, metadata"),
        (definition(state="ON"), ".state", "is one of ENABLED, DISABLED, got 'ON'"),
        (definition(variants={}), ".variants", "is an object with a value a variant"),
        (definition(variants=["on"]), ".variants", "is an object with a value a variant"),
        (definition(variants={"on": None}), ".variants.on", "is null, which is no value"),
        (definition(variants={"on": True, "off": 0}), ".variants.off", "is no boolean, as 'on' is: 0"),
        (definition(variants={"on": True, "off": None}), ".variants.off", "is no boolean"),
        (definition(defaultVariant="of"), ".defaultVariant", "results in 'of', which is no variant; there are on, off"),
        (targeted("on"), ".targeting", "is an object with an operator, got 'on'"),
        (targeted({"if": [], "or": []}), ".targeting", "is one operator with its arguments, got 2 keys"),
        (targeted({"%": [1, 2]}), ".targeting", "'%' is no operator: there are var if and"),
        (targeted({"if": [True]}), ".targeting.if", "takes at least 2 argument(s), and has 1"),
        (targeted({"if": [True, "onn"]}), ".targeting.if[1]", "results in 'onn', which is no variant"),
        (targeted({"if": [{"<": [1]}, "on"]}), ".targeting.if[0].<", "takes 2 argument(s), and has 1"),
        (targeted({"!": [1, 2]}), ".targeting.!", "takes 1 argument(s), and has 2"),
        (targeted({"==": [1, 1]}), ".targeting.==", "results in 'true', which is no variant"),
        (targeted({"var": []}), ".targeting.var", "takes 1 to 2 argument(s), and has 0"),
        (targeted({"var": [""]}), ".targeting.var[0]", "is the name of something in the context, got ''"),
        (targeted({"var": 1}), ".targeting.var[0]", "is the name of something in the context, got 1"),
        (
            targeted({"if": [{"sem_ver": [{"var": "v"}, "=>", "1"]}, "on"]}),
            ".targeting.if[0].sem_ver[1]",
            "is one of = != < <= > >= ^ ~, got '=>'",
        ),
        (targeted({"fractional": []}), ".targeting.fractional", "takes at least 1 argument(s)"),
        (targeted({"fractional": [["on", 0]]}), ".targeting.fractional", "has weights of 1 to"),
        (targeted({"fractional": [{"var": "email"}]}), ".targeting.fractional", "got 0"),
        (targeted({"fractional": [["on", 2**31]]}), ".targeting.fractional", "got 2147483648"),
        (targeted({"fractional": [["on", 1], "off"]}), ".targeting.fractional[1]", "is a variant and its weight"),
        (targeted({"fractional": [["on", 1], []]}), ".targeting.fractional[1]", "is a variant and its weight"),
        (targeted({"fractional": [["on", "ten"]]}), ".targeting.fractional[0][1]", "got 'ten'"),
        (targeted({"fractional": [["on", -1]]}), ".targeting.fractional[0][1]", "0 or more, got -1"),
        (targeted({"fractional": [["on", 0.5]]}), ".targeting.fractional[0][1]", "a whole number"),
        (targeted({"fractional": [["on", True]]}), ".targeting.fractional[0][1]", "got True"),
        (targeted({"fractional": [[7, 1]]}), ".targeting.fractional[0][0]", "is a variant's name, got 7"),
        (targeted({"fractional": [["onn", 1]]}), ".targeting.fractional[0][0]", "results in 'onn'"),
        (
            targeted({"if": [True, "on", {"in": [{"%": 1}, ["a"]]}, "off"]}),
            ".targeting.if[2].in[0]",
            "'%' is no operator",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_flag_and_its_place(tree, place, reason):
    """Beside a flag that is right: the file is refused whole."""
    with pytest.raises(FlagInvalid) as refused:
        parse_flags(content(right=definition(), new_listing=tree))

    assert refused.value.flag == "new-listing"
    assert refused.value.place == f"flags.new-listing{place}"
    assert reason in refused.value.reason
    assert str(refused.value).startswith("flag 'new-listing': flags.new-listing")
