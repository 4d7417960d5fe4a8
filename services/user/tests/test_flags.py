"""User's flags: their file goes with the code, and what each does on and off."""

import pytest

from platform_kit.flags import check
from user.flags import FLAGS, SINGLE_SPACES

PROFILE = "/api/v1/profile"


def test_the_file_and_the_code_go_together():
    """Nothing unknown, nothing missing, nothing of another type."""
    assert check(FLAGS) == []


@pytest.mark.integration
@pytest.mark.parametrize(
    ("on", "name", "family"),
    [(True, "Ada King of Ockham", "King of Ockham"), (False, "Ada   King  of Ockham", "  King  of Ockham")],
)  # fmt: skip
def test_several_spaces_in_a_name_are_one_where_the_flag_is_on(client, ada, on, name, family):
    """And stay as they were written where it is off."""
    with SINGLE_SPACES.override(on):
        client.put(PROFILE, headers=ada, json={"name": "Ada   King  of Ockham"})
        profile = client.get(PROFILE, headers=ada).json

    assert (profile["name"], profile["family_name"]) == (name, family)


@pytest.mark.integration
def test_the_flag_is_asked_for_the_customer_who_writes(client, ada, bob, monkeypatch):
    """So each stays with what they have."""
    asked = []
    monkeypatch.setattr(type(SINGLE_SPACES), "on", lambda _flag, key: asked.append(key) or False)
    for headers in (ada, bob):
        client.put(PROFILE, headers=headers, json={"name": "Ada"})

    assert asked == ["ada", "bob"]
