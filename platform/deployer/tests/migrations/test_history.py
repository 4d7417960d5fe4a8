"""Histories: read from files without running them, and what their two branches must be."""

from __future__ import annotations

import pytest

from deployer.errors import InputError
from deployer.migrations.declared import read_folder
from deployer.migrations.history import History, Revision, broken_history, broken_source
from deployer.migrations.window import Holder, missed, needed_by, stranded
from deployer.model import Release, ServiceName

PRODUCT = ServiceName("product")


def expand(name: str, *down: str, depends_on: tuple[str, ...] = ()) -> Revision:
    return Revision(name, "expand", down, depends_on, None)


def contract(name: str, *down: str, depends_on: tuple[str, ...], oldest: str | None) -> Revision:
    return Revision(name, "contract", down, depends_on, oldest, "What was old is gone.")


SOUND = (
    expand("1"),
    expand("2", "1"),
    contract("a", depends_on=("2",), oldest="1.1.0"),
    expand("3", "2"),
    contract("b", "a", depends_on=("3",), oldest="1.2.0"),
)


def rules(*revisions: Revision, needs: str | None = None) -> list[str]:
    return [broken.rule for broken in broken_history(History(needs, revisions))]


def test_a_sound_history_breaks_no_rule():
    """Two lines of revisions, each contract after its expand."""
    assert rules(*SOUND, needs="2") == []


@pytest.mark.parametrize(
    ("revision", "rule"),
    [
        (expand("4", "2"), "several-heads"),
        (expand("4", "3", depends_on=("b",)), "expand-waits"),
        (contract("c", "b", depends_on=(), oldest="1.3.0"), "contract-alone"),
        (contract("c", "b", depends_on=("a",), oldest="1.3.0"), "contract-alone"),
        (contract("c", "b", depends_on=("3",), oldest=None), "contract-without-window"),
    ],
)
def test_one_wrong_revision_is_named(revision, rule):
    """And nothing else is said."""
    assert rules(*SOUND, revision) == [rule]


def test_a_need_that_is_no_revision_is_told():
    """The release would never be ready."""
    assert rules(*SOUND, needs="9") == ["needs-unknown"]


def test_a_revision_that_imports_the_service_is_told():
    """At the top or inside a function; another package of a like name is not."""
    text = "def upgrade():\n    from product.tables import products\n"

    assert [broken.rule for broken in broken_source("4", text, PRODUCT)] == ["live-models"]
    assert not list(broken_source("4", "import productivity\n", PRODUCT))


def test_a_history_is_read_without_running_it(tmp_path):
    """In an order in which it can be applied, whatever the files are called."""
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "b.py").write_text(
        '"""First."""\nrevision = "1"\ndown_revision = None\nbranch_labels = ("expand",)\n'
        "raise RuntimeError\n"
    )
    (versions / "a.py").write_text('revision: str = "2"\ndown_revision = "1"\n')
    (versions / "c.py").write_text(
        'revision = "x"\ndown_revision = None\nbranch_labels = ("contract",)\n'
        'depends_on = "2"\noldest_release = "1.1.0"\n'
    )
    (tmp_path / "schema.toml").write_text('needs = "1"\n')

    history = read_folder(tmp_path)
    assert [(each.revision, each.phase) for each in history.revisions] == [
        ("1", "expand"),
        ("2", "expand"),
        ("x", "contract"),
    ]
    assert history.needs == "1"
    assert history.revisions[0].summary == "First."
    assert history.revisions[2].oldest_release == "1.1.0"


@pytest.mark.parametrize(
    "text",
    ["revision = '1'\ndown_revision = None\n", "def", "revision = '1'\nbranch_labels = 'x'\n"],
)
def test_a_file_that_is_no_revision_is_told(tmp_path, text):
    """On no branch, or no Python."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions/a.py").write_text(text)

    with pytest.raises(InputError) as refused:
        read_folder(tmp_path)
    assert refused.value.code == "history-broken"


def holder(version: str, *carried: Revision, needs: str | None = None) -> Holder:
    return Holder("live", Release(PRODUCT, version, "d"), History(needs, carried))


def test_a_release_below_the_window_is_stranded():
    """The one that the contract names is not."""
    goes = (SOUND[2],)

    assert list(stranded(goes, (holder("1.1.0"), holder("1.2.0")))) == []
    assert list(stranded(goes, (holder("1.0.9"), holder("1.1.0-dev.3")))) == [
        "product@1.0.9, live, still needs what contract a takes away: What was old is gone.",
        "product@1.1.0-dev.3, live, still needs what contract a takes away: What was old is gone.",
    ]
    assert list(stranded(goes, (holder("1.1.0-dev.3", *SOUND),))) == []


def test_a_release_needs_what_it_declares_or_all_that_it_carries():
    """One from before there was a declaration can't say less."""
    assert needed_by(History("1", SOUND)) == {"1"}
    assert needed_by(History(None, SOUND)) == {"1", "2", "3"}
    assert list(missed((SOUND[3],), (holder("1.2.0", *SOUND, needs="2"),))) == []
    assert len(list(missed((SOUND[3],), (holder("1.2.0", *SOUND),)))) == 1
