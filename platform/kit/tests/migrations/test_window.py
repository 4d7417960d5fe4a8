"""Which releases the live schema serves, as readiness and whoever decides about releases see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_kit.errors import MigrationError
from platform_kit.migrations import read_declaration
from platform_kit.schema import Applied, Needs, applied, unserved
from platform_kit.versions import precedence

LIVE = (
    Applied("0001", "expand", None),
    Applied("0002", "expand", None),
    Applied("c001", "contract", "1.2.0"),
)


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        (Needs("0002", "1.2.0"), None),
        (Needs("0001", "2.0.0"), None),
        (Needs("0003", "1.3.0"), "revision 0003 is not applied"),
        (
            Needs("0001", "1.1.9"),
            "contract c001 is applied: it serves releases from 1.2.0 on, this is 1.1.9",
        ),
        (
            Needs("0001", "1.2.0-dev.3"),
            "contract c001 is applied: it serves releases from 1.2.0 on, this is 1.2.0-dev.3",
        ),
        # It was built with the contract: its number is not what it is measured by.
        (Needs("0002", "1.2.0-dev.3", frozenset({"0001", "0002", "c001"})), None),
    ],
)
def test_a_release_is_served_or_told_why_not(needs, reason):
    """By the oldest revision it needs, and by the contracts that came after it."""
    assert unserved(needs, LIVE) == reason


def test_a_schema_before_its_first_revision_serves_nobody():
    """And says what is missing."""
    assert unserved(Needs("0001"), ()) == "revision 0001 is not applied"


ORDERED = [
    "0.9.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0",
    "1.0.1-dev.1",
    "1.2.0",
    "1.10.0",
]


def test_versions_are_ordered_as_semver_says():
    """The example of its section 11, and numbers that are not words."""
    as_words = sorted(ORDERED)

    assert as_words != ORDERED
    assert sorted(as_words, key=precedence) == ORDERED


@given(st.tuples(*[st.integers(0, 99)] * 3), st.tuples(*[st.integers(0, 99)] * 3))
def test_plain_versions_are_ordered_by_their_numbers(one, other):
    """Whatever they are."""
    key = [precedence(".".join(map(str, version))) for version in (one, other)]

    assert (key[0] < key[1]) == (one < other)


def test_a_history_is_read_in_its_order(history):
    """Without Alembic: what a revision depends on comes first."""
    history.add("0003", "pass", after="0002")
    history.add("0002", "pass", after="0001")
    history.add("c001", "pass", label="contract", depends="0002", oldest_release="1.1.0")
    (history.folder / "schema.toml").write_text('needs = "0002"\n')
    declared = read_declaration(history.folder)

    assert [(each.revision, each.phase) for each in declared.revisions] == [
        ("0001", "expand"),
        ("0002", "expand"),
        ("0003", "expand"),
        ("c001", "contract"),
    ]
    assert (declared.needs, declared.head("expand"), declared.head("contract")) == (
        "0002",
        "0003",
        "c001",
    )
    assert declared.known == {"0001", "0002", "0003", "c001"}


@pytest.mark.parametrize("content", ["needs = 2", "", "needs ="])
def test_a_need_that_makes_no_sense_is_an_error(history, content):
    """Silence would be taken for no need at all."""
    (history.folder / "schema.toml").write_text(content)
    with pytest.raises(MigrationError, match=r"schema\.toml"):
        read_declaration(history.folder)


def test_a_history_without_a_need_has_none(history):
    """The caller has to have it from elsewhere."""
    assert read_declaration(history.folder).needs is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("revision = ", "is no Python"),
        ('revision = "x"\ndown_revision = None', "on neither branch"),
    ],
)
def test_a_revision_that_makes_no_sense_is_an_error(history, code, words):
    """As the runner would say."""
    (history.folder / "versions" / "x.py").write_text(code)
    with pytest.raises(MigrationError, match=words):
        read_declaration(history.folder)


@pytest.mark.integration
def test_a_table_of_an_older_runner_can_be_read(rows, database):
    """It has no windows: it serves every release."""
    rows(
        "CREATE TABLE schema_history (revision text PRIMARY KEY, phase text NOT NULL, applied_at timestamptz DEFAULT now())"
    )
    rows("INSERT INTO schema_history VALUES ('0001', 'expand'), ('c001', 'contract')")

    assert applied(database) == (Applied("0001", "expand", None), Applied("c001", "contract", None))
    assert unserved(Needs("0001", "0.0.1"), applied(database)) is None


@pytest.mark.integration
def test_an_instance_is_not_ready_once_a_contract_has_gone_past_it(
    history, apply, database, make_app, settings, eventually
):
    """Its release is 1.1.0; it says which contract, and from which release on."""
    from platform_kit import start_background
    from platform_kit.admin import answer
    from platform_kit.instance import Instance

    # A name that no service's history has: what a release knows was written with it.
    history.add("c901", "pass", label="contract", depends="0001", oldest_release="1.2.0")
    apply()
    app = make_app(database=database, schema_oldest="0001")
    with start_background(app):
        ready = eventually(
            # The other checks have their first turn after it.
            lambda: _found(answer, Instance.of(app), b"revision 0001 is applied", status=200)
        )
        apply("contract")
        gone = eventually(
            lambda: _found(answer, Instance.of(app), b"serves releases from 1.2.0 on", status=503)
        )

    assert ready
    assert gone


def _found(answer, instance, words, *, status):
    told, _, body = answer(instance, "/ready")
    return words in body and told == status
