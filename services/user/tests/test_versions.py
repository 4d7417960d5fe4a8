"""The versions of user's interface: one profile, written and read in three shapes."""

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from timeit import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from platform_kit.api import api_of
from platform_kit.instance import Instance
from user import shapes
from user.app import create
from user.changes import VERSIONS, v2, v3

NOWHERE = "postgresql://127.0.0.1:9/nowhere"
ROUTER = "http://127.0.0.1:9"
V1, V2, V3 = (f"/api/v{number}/profile" for number in (1, 2, 3))
BODIES = {
    V1: {"name": "Ada Lovelace", "language": "en"},
    V2: {"given_name": "Ada", "family_name": "Lovelace", "language": "en"},
    V3: {"name": {"given": "Ada", "family": "Lovelace"}, "language": "en"},
}
ANSWERS = {
    V1: {"name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace"},
    V2: {"given_name": "Ada", "family_name": "Lovelace"},
    V3: {"name": {"given": "Ada", "family": "Lovelace"}},
}


@pytest.fixture
def client(preview, app):
    """With the preview."""
    return app.test_client()


@pytest.fixture
def ended(preview, database, migrated_url, issuer, instance):
    """A client of an instance whose clock says that v1 is over."""
    instance(migrated_url, issuer.router_url)
    return create(clock=lambda: VERSIONS[0].sunset).test_client()


@pytest.mark.integration
@pytest.mark.parametrize("written_by", BODIES)
@pytest.mark.parametrize("read_by", ANSWERS)
def test_what_one_version_writes_each_reads_in_its_own_shape(client, ada, written_by, read_by):
    """No more fields, and no fewer."""
    written = client.put(written_by, headers=ada, json=BODIES[written_by]).json
    read = client.get(read_by, headers=ada).json
    expected = {"id": "ada", "language": "en", "updated_at": written["updated_at"]}

    assert {**expected, **ANSWERS[read_by]} == read


@pytest.mark.integration
@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        (V1, {"name": 7}, ["name"]),
        (V1, {"given_name": "Ada"}, ["name"]),
        (V2, {"name": "Ada"}, ["given_name"]),
        (V2, {"given_name": "  ", "family_name": "x" * 101}, ["given_name", "family_name"]),
        (V3, {"name": "Ada"}, ["name"]),
        (V3, {"name": {"given": "a\nb"}, "language": "?"}, ["name.given", "language"]),
    ],
)
def test_a_refusal_names_the_fields_that_the_version_has(client, ada, path, body, fields):
    """Whoever calls v1 has never heard of v3's."""
    answer = client.put(path, headers=ada, json=body)

    assert answer.status_code == 422
    assert fields == [error["field"] for error in answer.json["errors"]]


@pytest.mark.integration
@pytest.mark.parametrize(("path", "left"), [(V1, "en"), (V2, "en"), (V3, None)])
def test_a_language_of_null_takes_it_away_only_in_v3(client, ada, path, left):
    """In the versions before it is the same as saying nothing."""
    client.put(path, headers=ada, json=BODIES[path])
    answer = client.put(path, headers=ada, json={**BODIES[path], "language": None})

    assert left == answer.json["language"]


@pytest.mark.integration
@pytest.mark.parametrize("path", [V1, V2, V3])
def test_a_language_that_is_not_said_stays(client, ada, path):
    """In every version."""
    client.put(path, headers=ada, json=BODIES[path])
    body = {key: value for key, value in BODIES[path].items() if key != "language"}

    assert client.put(path, headers=ada, json=body).json["language"] == "en"


@pytest.mark.integration
def test_only_the_deprecated_version_says_that_it_is(client, ada):
    """With dates that the service's changelog names, and where to go."""
    answer = client.get(V1, headers=ada)

    assert answer.headers["Deprecation"] == "@1796083200"
    assert answer.headers["Sunset"] == "Fri, 01 Dec 2028 00:00:00 GMT"
    assert '<../v2/profile>; rel="successor-version"' in answer.headers["Link"]
    for path in (V2, V3):
        assert {"Deprecation", "Sunset", "Link"}.isdisjoint(client.get(path).headers.keys())


@pytest.mark.integration
def test_after_its_sunset_v1_is_gone_and_the_others_are_not(ended, ada):
    """410 says where the profile is now; nothing was written."""
    answer = ended.put(V1, headers=ada, json=BODIES[V1])

    assert answer.status_code == 410
    assert (answer.json["code"], answer.json["successor"]) == ("version_gone", "../v2/profile")
    assert ended.get(V2, headers=ada).status_code == 404
    assert ended.put(V2, headers=ada, json=BODIES[V2]).status_code == 200


@pytest.mark.integration
def test_the_preview_is_not_there_unless_it_is_asked_for(app, ada):
    """As if nobody had thought of it: the same 404 as anywhere else."""
    answers = [app.test_client().get(path, headers=ada) for path in (V3, "/api/v3/docs")]

    assert [(each.status_code, each.json["code"]) for each in answers] == [(404, "not_found")] * 2


@pytest.mark.integration
def test_calls_are_counted_by_version_and_caller(client, app, ada, issuer):
    """A customer, a service by its token, and who shows none."""
    service = {"Authorization": f"Bearer {issuer.token('service:order')}"}
    for path, headers in ((V1, ada), (V1, ada), (V1, service), (V2, ada), (V2, {})):
        client.get(path, headers=headers)
    page = Instance.of(app).metrics.exposition().decode()
    line = r'^api_calls_total{.*api="(\w+)",consumer="(\w+)".*} (\S+)$'

    assert sorted(re.findall(line, page, re.MULTILINE)) == [
        ("v1", "customer", "2.0"),
        ("v1", "order", "1.0"),
        ("v2", "anonymous", "1.0"),
        ("v2", "customer", "1.0"),
    ]


# What differs from one dialect of patterns to the next, or ends a word, and what is plain.
CHARACTERS = " a\n\t\x1c\x7f\x85\xa0\u3000\ufeff\u200bé"
TEXTS = [
    *("".join(some) for length in range(5) for some in product(CHARACTERS, repeat=length)),
    *(f"{before}{'x' * length}{after}"
      for length in (99, 100, 101) for before, after in product(("", " ", "   "), repeat=2)),
]  # fmt: skip


@pytest.mark.parametrize("kind", [shapes.GivenName, shapes.FamilyName, v2.WholeName])
def test_the_documented_pattern_of_a_name_lets_through_what_the_service_does(kind):
    """By its own regular expression, since spaces around do not count."""
    adapter = TypeAdapter(kind)
    pattern = re.compile(adapter.json_schema()["pattern"])
    differing = [
        text for text in TEXTS if bool(pattern.fullmatch(text)) != (accepted_as(adapter, text))
    ]

    assert len(TEXTS) > 20_000
    assert differing == []


def accepted_as(adapter, text):
    """Whether the text passes."""
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def accepted(model, body):
    """The body as the model has it, None when it is refused."""
    try:
        return model.model_validate(body).model_dump(exclude_unset=True)
    except ValidationError:
        return None


@given(st.fixed_dictionaries({"name": st.text(max_size=102)}))
def test_every_name_of_v1_is_taken_by_the_newest_and_read_back_as_it_was(body):
    """The newest shape refuses nothing and trims nothing that the oldest let through."""
    sent = accepted(v2.ProfileChange, body)
    if sent is not None:
        newest = shapes.ProfileChange.model_validate(v3.nested(v2.divided(sent)))
        answered = v2.joined(v3.flat({"name": newest.name.model_dump()}))

        assert answered["name"] == sent["name"]


@given(
    st.fixed_dictionaries(
        {"given_name": st.text(max_size=102)},
        optional={
            "family_name": st.text(max_size=102),
            "language": st.sampled_from(["de", "pt-BR", None]),
        },
    )
)
def test_every_profile_of_v2_is_taken_by_the_newest_and_read_back_as_it_was(body):
    """With both parts of the name."""
    sent = accepted(v3.ProfileChange, body)
    if sent is not None:
        newest = shapes.ProfileChange.model_validate(v3.nested(sent))
        answered = v3.flat({"name": newest.name.model_dump()})

        assert {"family_name": "", **sent}.items() >= answered.items()


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (v2.divided, BODIES[V1]),
        (v3.nested, BODIES[V2]),
        (v3.flat, {"id": "ada", **ANSWERS[V3], "language": None, "updated_at": ""}),
        (v2.joined, {"id": "ada", **ANSWERS[V2], "language": None, "updated_at": ""}),
    ],
)
def test_a_step_costs_microseconds(step, body):
    """Ten by its target, five times that on a machine that does other things beside."""
    rounds = repeat(lambda: step(body), number=1000, repeat=50)

    assert min(rounds) / 1000 < 5 * 10e-6


def test_the_sunset_leaves_clients_a_year_at_least(instance):
    """Counted from the deprecation, as the guide says."""
    (v1, *_) = api_of(instance(NOWHERE, ROUTER)).versions

    assert v1.sunset - v1.deprecated >= timedelta(days=365)
    assert v1.deprecated == datetime(2026, 12, 1, tzinfo=UTC)
