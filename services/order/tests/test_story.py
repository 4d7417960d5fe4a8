"""The service's part of the demo: well-formed, and really playable."""

import re
import tomllib
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

SERVICE = Path(__file__).parents[1]
STORY = tomllib.loads((SERVICE / "story.toml").read_text(encoding="utf-8"))
CALLS = [*STORY["step"], *STORY["traffic"]]
PREDEFINED = {"customer", "password", "unique"}
SAVED_BY_OTHERS = {"account", "token", "tea", "coffee", "cup"}
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
    if isinstance(value, list):
        return [filled(inner, variables) for inner in value]
    if isinstance(value, str):
        variables = {**variables, "unique": f"unique-{next(unique)}"}
        whole = re.fullmatch(r"\{(\w+)\}", value)
        if whole and isinstance(variables[whole[1]], int):
            return variables[whole[1]]  # a number that was saved goes back as a number
        return re.sub(r"\{(\w+)\}", lambda found: str(variables[found[1]]), value)
    return value


def play(client, call, variables):
    """Make one call as the deployer would, at the service itself, and keep what it saves."""
    method, path = call["call"].split(" ")
    answer = client.open(
        filled(path, variables).removeprefix("/order"),
        method=method,
        json=filled(call.get("json"), variables),
        headers=filled(call.get("headers", {}), variables),
    )
    for variable, key in call.get("save", {}).items():
        variables[variable] = answer.json[key]
    return answer


def test_the_story_says_what_it_needs_and_has_steps_and_traffic():
    """Somebody has to be logged in, and something to be on the shelf."""
    assert set(STORY) == {"needs", "step", "traffic"}
    assert STORY["needs"] == ["auth", "product"]


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
    known = PREDEFINED | SAVED_BY_OTHERS
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
        assert path.startswith("/order/api/v1/")

        plain = re.sub(r"\{\w+\}", str(uuid4()), path).partition("?")[0]
        assert routes.test(plain.removeprefix("/order"), method=method)


def test_the_others_save_what_this_story_uses():
    """Their stories are played before it."""
    saved = set()
    for need in STORY["needs"]:
        told = (SERVICE.parent / need / "story.toml").read_text(encoding="utf-8")
        saved |= {name for step in tomllib.loads(told)["step"] for name in step.get("save", {})}

    assert saved >= SAVED_BY_OTHERS


@pytest.mark.integration
def test_the_story_can_be_played_and_its_traffic_repeated(app, router, shop):
    """The steps answer what they expect, and the traffic succeeds for as long as it goes on."""
    shelf = {name: shop.add(stock=1_000_000) for name in ("tea", "coffee", "cup")}
    variables = {"token": router.token("ada"), **shelf}
    client = app.test_client()
    for step in STORY["step"]:
        assert play(client, step, variables).status_code == step["expect"]

    for call in STORY["traffic"] * 3:
        assert 200 <= play(client, call, variables).status_code < 300


def test_every_order_has_a_key_of_its_own():
    """A key that came again would place nothing."""
    placing = [call for call in CALLS if call["call"] == "POST /order/api/v1/orders"]

    assert len(placing) == 2
    for call in placing:
        assert "{unique}" in call["headers"]["Idempotency-Key"]
