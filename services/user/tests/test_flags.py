"""User's flags: their file goes with the code, and what each does on and off."""

import re
from pathlib import Path

import pytest

from platform_kit.flags import check
from platform_kit.instance import Instance
from user.flags import FLAGS, SINGLE_SPACES

SERVICE = Path(__file__).parents[1]
GUIDE = SERVICE.parents[1] / "docs/guides/feature-flags.md"
PROFILE = "/api/v1/profile"


def test_the_file_and_the_code_go_together():
    """Nothing unknown, nothing missing, nothing of another type."""
    assert check(FLAGS) == []


def test_the_app_decides_by_the_file(instance):
    """Not only the tests know of it."""
    app = instance("postgresql://127.0.0.1:9/nowhere", "http://127.0.0.1:9")
    page = Instance.of(app).metrics.exposition().decode()

    assert re.findall(r"^flag_file_ok{.*} (\S+)$", page, re.MULTILINE) == ["1.0"]


@pytest.mark.parametrize(
    ("language", "file"), [("python", "src/user/flags.py"), ("json", "flags.json")]
)
def test_the_guide_shows_the_flag_as_it_is(language, file):
    """The declaration and the definition, word by word."""
    shown = GUIDE.read_text().partition(f"```{language}\n")[2].partition("```")[0]

    assert shown.strip() in (SERVICE / file).read_text()


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
