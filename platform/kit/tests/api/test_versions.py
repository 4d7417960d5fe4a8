"""Versions in Flask: one handler, several shapes, and what is said of a version that ends."""

import re
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urljoin

import pytest

from platform_kit.api import Api, Change, Translation, Version
from platform_kit.api.links import Links
from platform_kit.api.version import http_date, structured_date

THING = "/things/7"

# RFC 9651, section 3.3.7 and 3.3.1: sf-date = "@" sf-integer, of 15 digits at most
SF_DATE = re.compile(r"@-?[0-9]{1,15}")
# RFC 9110, section 5.6.7
IMF_FIXDATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT"
)
# RFC 8288, section 3, as far as it is used: "<" URI-Reference ">" with parameters in quotes
LINK_VALUE = r"<[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*>(; [a-z]+=\"[^\"]*\")+"
LINK = re.compile(rf"{LINK_VALUE}(, {LINK_VALUE})*")


@pytest.mark.parametrize(
    ("version", "sent", "answered"),
    [
        ("v1", {"size": 3}, {"id": 7, "size": 3}),
        ("v2", {"sizes": [3, 4]}, {"id": 7, "sizes": [3, 4]}),
        ("v3", {"sizes": [3, 4]}, {"id": 7, "sizes": [3, 4]}),
    ],
)
def test_one_handler_answers_each_version_in_its_shape(client, version, sent, answered):
    """And with the status that the handler chose."""
    answer = client.put(f"/api/{version}{THING}", json=sent)

    assert (answer.status_code, answer.json) == (201, answered)
    assert client.put(f"/api/{version}/things/8", json=sent).status_code == 200


def test_the_handler_hears_the_newest_shape_only(client, world):
    """Whatever the client sent."""
    client.put(f"/api/v1{THING}", json={"size": 3})
    client.put(f"/api/v2{THING}", json={"sizes": [3]})

    assert world.heard == [[3], [3]]


@pytest.mark.parametrize(("version", "field"), [("v1", "size"), ("v2", "sizes")])
def test_a_refusal_names_the_version_s_own_fields(client, world, version, field):
    """What was sent is checked before it is translated."""
    answer = client.put(f"/api/{version}{THING}", json={})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert world.heard == []


@pytest.mark.parametrize(("version", "size"), [("v1", None), ("v2", 3)])
def test_the_handler_hears_of_a_query_what_the_version_knows(client, world, version, size):
    """What it does not know is as good as not sent."""
    client.get(f"/api/{version}/things?limit=7&size=3&colour=red")

    assert [(page.limit, page.size) for page in world.heard] == [(7, size)]


@pytest.mark.parametrize(("version", "status"), [("v1", 200), ("v2", 422)])
def test_a_query_is_refused_for_what_the_version_knows(client, version, status):
    """By the name that was sent."""
    answer = client.get(f"/api/{version}/things?size=0")

    assert answer.status_code == status
    assert [error["field"] for error in answer.json.get("errors", ())] == ["size"] * (status == 422)


@pytest.mark.parametrize(
    ("path", "heard"),
    [
        ("v1/found?count=3", 3),
        ("v1/found", 20),
        ("v1/found?limit=3", 20),
        ("v2/found?limit=3", 3),
        ("v3/found?limit=3&limit=4&count=5", 3),
    ],
)
def test_the_handler_hears_the_newest_query_only(client, world, path, heard):
    """And what a version does not have is nothing to it."""
    answer = client.get(f"/api/{path}")

    assert (answer.status_code, world.heard) == (200, [heard])


@pytest.mark.parametrize(("version", "name"), [("v1", "count"), ("v2", "limit")])
def test_a_refused_query_is_named_as_the_version_has_it(client, world, version, name):
    """Whoever calls v1 has never heard of v2's."""
    answer = client.get(f"/api/{version}/found?{name}=many")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [name]
    assert world.heard == []


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_headers_that_the_handler_returns_are_in_the_answer(client, version):
    """In every version."""
    assert client.get(f"/api/{version}/found").headers["X-Found"] == "1"


def test_a_problem_of_the_handler_is_the_same_in_every_version(client):
    """It is not an answer that a change could translate."""
    answers = [
        client.put("/api/v1/things/9", json={"size": 3}),
        client.put("/api/v2/things/9", json={"sizes": [3]}),
    ]

    assert [(each.status_code, each.json["code"]) for each in answers] == [(409, "thing_taken")] * 2


def test_headers_go_along_with_what_succeeds_and_with_no_refusal(client):
    """A refusal may be another one a moment later."""
    paths = ("/api/v1/things/7", "/api/v1/things/8", "/api/v1/things/9")
    answers = [client.put(path, json={"size": 3}) for path in paths]

    assert [(each.status_code, each.headers.get("Cache-Control")) for each in answers] == [
        (201, "no-store"), (200, "no-store"), (409, None)
    ]  # fmt: skip


def test_an_answer_without_a_body_stays_one(client):
    """There is nothing to translate."""
    answer = client.delete(f"/api/v1{THING}")

    assert (answer.status_code, answer.data) == (204, b"")


def test_a_path_of_no_version_is_not_found(client):
    """Nor one that only begins like a version."""
    paths = ["/api/v4/things", "/api/v10/things", "/api/things", "/api/v1x/things"]
    answers = [client.get(path) for path in paths]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert not any("Deprecation" in answer.headers for answer in answers)


def test_the_deprecation_is_the_rfc_s_own_example():
    """RFC 9745, section 2.1: Friday, June 30, 2023 at 23:59:59 UTC."""
    assert structured_date(datetime(2023, 6, 30, 23, 59, 59, tzinfo=UTC)) == "@1688169599"


def test_the_sunset_is_the_rfc_s_own_example():
    """RFC 9110, section 5.6.7."""
    assert http_date(datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)) == (
        "Sun, 06 Nov 1994 08:49:37 GMT"
    )


def test_a_moment_is_told_in_gmt_wherever_it_was_written():
    """Two hours east of it, the same second."""
    east = datetime(1994, 11, 6, 10, 49, 37, tzinfo=timezone(timedelta(hours=2)))

    assert http_date(east) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert structured_date(east) == structured_date(east.astimezone(UTC))


def test_a_deprecated_version_says_so_byte_for_byte(client):
    """The dates of the RFC's section 4, and where to go."""
    headers = client.put(f"/api/v1{THING}", json={"size": 3}).headers

    assert headers["Deprecation"] == "@1688169599"
    assert headers["Sunset"] == "Sun, 30 Jun 2024 23:59:59 GMT"
    assert ", ".join(headers.getlist("Link")) == (
        '<../../v2/docs#changes>; rel="deprecation"; type="text/html", '
        '<../../v2/docs#changes>; rel="sunset"; type="text/html", '
        '<../../v2/things/7>; rel="successor-version"'
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/things", 200),
        ("PUT", "/things/9", 415),
        ("PUT", "/things/x", 404),
        ("PATCH", "/things/7", 405),
        ("GET", "/a%0d%0aSet-Cookie:%20b=c/%22%3E%C3%BC", 404),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
    ],
)
def test_every_answer_of_a_deprecated_version_says_so_by_the_grammar(client, method, path, status):
    """Refusals too, and whatever a client puts into the path."""
    answer = client.open(f"/api/v1{path}", method=method)

    assert answer.status_code == status
    assert SF_DATE.fullmatch(answer.headers["Deprecation"])
    assert IMF_FIXDATE.fullmatch(answer.headers["Sunset"])
    assert LINK.fullmatch(answer.headers["Link"])


@pytest.mark.parametrize("value", ["true", "1688169599", "@1.5", "@1688169599Z", "@" + "1" * 16])
def test_what_is_no_date_does_not_pass_the_grammar(value):
    """The negative control: `true` is what older drafts had."""
    assert not SF_DATE.fullmatch(value)
    assert not IMF_FIXDATE.fullmatch("Sun, 30 Jun 2024 23:59:59 UTC")
    assert not LINK.fullmatch('<a"b>; rel="sunset"')


@pytest.mark.parametrize("below", ["", "/", "/things", "/things/7", "/things/7/parts/ü"])
@pytest.mark.parametrize("root", ["https://shop.test/api/v1", "https://shop.test/user/api/v1"])
def test_links_lead_to_the_successor_whatever_is_before_the_path(root, below):
    """A router may have taken a part away that the client still sees."""
    links = Links.to(Version("v2"), below=below)
    expected = root.replace("v1", "v2")

    assert urljoin(root + below, links.documentation) == f"{expected}/docs#changes"
    assert urljoin(root + below, links.resource) == f"{expected}{below}".replace("ü", "%C3%BC")


def test_a_version_that_stays_says_nothing(client):
    """And neither does a preview."""
    for version in ("v2", "v3"):
        headers = client.get(f"/api/{version}/things").headers
        assert {"Deprecation", "Sunset", "Link"}.isdisjoint(headers.keys())


def test_until_its_last_second_a_version_is_answered(client, world):
    """The control of the next test."""
    world.now = datetime(2024, 6, 30, 23, 59, 58, tzinfo=UTC)

    assert client.get("/api/v1/things").status_code == 200


@pytest.mark.parametrize("path", ["/things", "/things/7", "/nothing", "/docs", "/openapi.json"])
def test_after_its_sunset_a_version_is_gone(client, world, path):
    """410 with the successor, in the body and in the headers; the others go on."""
    world.now = datetime(2024, 6, 30, 23, 59, 59, tzinfo=UTC)
    answer = client.get(f"/api/v1{path}")

    assert answer.status_code == 410
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "version_gone"
    assert urljoin(f"/api/v1{path}", answer.json["successor"]) == f"/api/v2{path}"
    assert urljoin(f"/api/v1{path}", answer.json["documentation"]) == "/api/v2/docs#changes"
    assert 'rel="successor-version"' in answer.headers["Link"]
    assert client.get("/api/v2/things").status_code == 200


def test_nothing_is_written_by_a_version_that_is_gone(client, world):
    """The handler is not asked."""
    world.now = datetime(2025, 1, 1, tzinfo=UTC)
    client.put(f"/api/v1{THING}", json={"size": 3})

    assert world.heard == []


def test_a_preview_can_be_switched_off_and_on_while_it_runs(client, world):
    """The switch is asked at each request."""
    statuses = []
    for world.preview in (True, False, True):
        statuses.append(client.get("/api/v3/things").status_code)

    assert statuses == [200, 404, 200]


@pytest.mark.parametrize(("allowed", "status"), [(True, 200), (False, 404)])
def test_without_a_switch_the_setting_decides(make_app, settings, allowed, status):
    """PLATFORM_API_PREVIEW, which is off unless it is set."""
    api = Api([Version("v1"), Version("v2", preview=True)], [Change("v2", says="", operations={})])
    settings = settings.model_copy(update={"api_preview": allowed})

    assert (
        make_app(api=api, settings=settings).test_client().get("/api/v2/docs").status_code == status
    )
    assert type(settings)().api_preview is False


MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Version("2"), "named v1, v2"),
        (lambda: Version("v0"), "named v1, v2"),
        (lambda: Version("v1", MOMENT, MOMENT - timedelta(seconds=1)), "not earlier"),
        (lambda: Version("v1", sunset=MOMENT), "not earlier"),
        (lambda: Version("v1", MOMENT.replace(tzinfo=None)), "with a zone"),
        (lambda: Version("v1", MOMENT.replace(microsecond=1)), "whole seconds"),
        (lambda: Version("v1", MOMENT, preview=True), "promises nothing"),
        (lambda: Api([Version("v1"), Version("v2")]), "one change for each"),
        (lambda: Api([Version("v1")], [Change("v1", says="", operations={})]), "one change"),
        (lambda: Api([]), "neither deprecated nor a preview"),
        (lambda: Api([Version("v1", MOMENT)]), "neither deprecated nor a preview"),
        (lambda: Api([Version("v1", preview=True)]), "neither deprecated nor a preview"),
    ],
)
def test_what_no_client_could_make_sense_of_is_refused(make, reason):
    """Where it is written, and not at the first request."""
    with pytest.raises(ValueError, match=reason):
        make()


def test_a_change_of_an_operation_that_there_is_not_is_refused(make_app):
    """A misspelt name would leave the real one untranslated."""
    change = Change("v2", says="", operations={"read_thin": Translation()})

    with pytest.raises(ValueError, match="read_thin"):
        make_app(api=Api([Version("v1"), Version("v2")], [change]))


def test_a_sunset_at_the_moment_of_the_deprecation_is_allowed():
    """RFC 9745 says not earlier."""
    assert Version("v1", MOMENT, MOMENT).has_ended(MOMENT)
