"""The service's part of the demo: well-formed, and really playable."""

import re
import tomllib
from itertools import count
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[1]
STORY = tomllib.loads((SERVICE / "story.toml").read_text(encoding="utf-8"))
CALLS = [*STORY["step"], *STORY["traffic"]]
PREDEFINED = {"customer", "password", "unique"}
STEP_KEYS = {"says", "call", "json", "headers", "via", "expect", "save"}

unique = count()


def words(value):
    """All strings in a value, however deep."""
    if isinstance(value, dict):
        return [word for inner in value.values() for word in words(inner)]
    if isinstance(value, list):
        return [word for inner in value for word in words(inner)]
    return [value] if isinstance(value, str) else []


def filled(value, variables):
    """The value with its {variables} put in."""
    if isinstance(value, dict):
        return {key: filled(inner, variables) for key, inner in value.items()}
    if isinstance(value, str):
        variables = {**variables, "unique": f"unique-{next(unique)}"}
        return re.sub(r"\{(\w+)\}", lambda found: str(variables[found[1]]), value)
    return value


def play(client, call, variables):
    """Make one call as the deployer would, at the service itself, and keep what it saves."""
    method, path = call["call"].split(" ")
    answer = client.open(
        filled(path, variables).removeprefix("/product"),
        method=method,
        json=filled(call.get("json"), variables),
        headers=filled(call.get("headers", {}), variables),
    )
    for variable, key in call.get("save", {}).items():
        variables[variable] = answer.json[key]
    return answer


def test_the_story_says_what_it_needs_and_has_steps_and_traffic():
    """Product asks auth who calls it, where it is told to."""
    assert set(STORY) == {"needs", "step", "traffic"}
    assert STORY["needs"] == ["auth"]


def test_the_story_needs_what_the_code_calls():
    """Needs are said twice: for the demo, and for who deploys the service."""
    project = tomllib.loads((SERVICE / "pyproject.toml").read_text(encoding="utf-8"))

    assert STORY["needs"] == project["tool"]["deployer"]["needs"]


def test_steps_and_traffic_use_known_keys_only():
    """A misspelled key would be ignored, or refused only in the demo."""
    for step in STORY["step"]:
        assert {"says", "call", "expect"} <= set(step) <= STEP_KEYS
    for call in STORY["traffic"]:
        assert {"call", "weight"} <= set(call) <= STEP_KEYS | {"weight"}
        assert call["weight"] > 0


def test_a_variable_is_used_only_after_it_was_saved():
    """Read from top to bottom, every {word} is known."""
    known = set(PREDEFINED)
    for call in CALLS:
        used = {name for word in words(call) for name in re.findall(r"\{(\w+)\}", word)}

        assert used <= known
        known |= set(call.get("save", {}))


@pytest.mark.integration
def test_every_call_names_a_route_that_the_app_has(app):
    """By method and path, below the service's own name."""
    routes = app.url_map.bind("localhost")
    for call in CALLS:
        method, path = call["call"].split(" ")
        assert path.startswith("/product/api/v1/")

        plain = re.sub(r"\{\w+\}", "1", path).partition("?")[0]
        assert routes.test(plain.removeprefix("/product"), method=method)


@pytest.mark.integration
def test_the_story_can_be_played_and_its_traffic_repeated(client):
    """The steps answer what they expect, and the traffic succeeds for as long as it goes on."""
    variables = {"customer": "ada", "password": "unused"}
    for step in STORY["step"]:
        assert play(client, step, variables).status_code == step["expect"]

    for call in STORY["traffic"] * 3:
        assert 200 <= play(client, call, variables).status_code < 300
    assert {"tea", "coffee", "cup"} <= set(variables)


def test_only_calls_that_change_something_take_the_inner_way():
    """A customer browses through the public listener, which refuses the rest."""
    for call in CALLS:
        assert (call.get("via") == "internal") == (not call["call"].startswith("GET "))
