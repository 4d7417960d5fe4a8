"""An older release on the schema of a newer one: nothing to do where it is served, a clear refusal elsewhere."""

import json

import pytest

from platform_kit.errors import RevertRefused, SchemaAhead
from platform_kit.migrations import plan, revert, upgrade
from platform_kit.schema import applied

pytestmark = pytest.mark.integration

NOTE = 'op.add_column("things", sa.Column("note", sa.Text))'


@pytest.fixture
def older(history, apply, tmp_path, monkeypatch):
    """Bring the schema to what 1.2.0 makes of it, and go back to a release that carries less."""

    def older(version, *, contract="1.1.0", needs="0001", also=()):
        history.expand(NOTE)
        history.contract("pass", oldest_release=contract)
        apply()
        apply("contract")
        for newer in ("0002", "c001"):
            (history.folder / "versions" / f"{newer}.py").unlink()
        for revision, after in also:
            history.add(revision, "pass", after=after)
        if needs:
            (history.folder / "schema.toml").write_text(f'needs = "{needs}"\n')
        installed = history.source / f"shop-{version}.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(f"Name: shop\nVersion: {version}\n")

    return older


@pytest.mark.parametrize("needs", ["0001", None])
def test_an_older_release_that_is_served_has_nothing_to_do(older, database_url, database, needs):
    """Its runner says so, and leaves what the newer one recorded."""
    older("1.1.0", needs=needs)
    before = applied(database)
    done = upgrade("shop", phase="expand", database_url=database_url)

    assert (done.applied, done.before, done.after) == ([], ["c001"], ["c001"])
    assert [each.revision for each in before] == ["0001", "0002", "c001"]
    assert applied(database) == before


def test_the_program_of_an_older_release_ends_well(older, history, database_url):
    """It is what a rollout calls."""
    older("1.1.0")
    code, out, err = history.run(database_url)

    assert (code, err) == (0, "")
    assert json.loads(out)["applied"] == []


@pytest.mark.parametrize(
    ("version", "options", "reason"),
    [
        ("1.0.0", {}, "it serves releases from 1.1.0 on, this is 1.0.0"),
        ("1.1.0", {"also": [("0001b", "0001")]}, "expand 0001b would have to be applied"),
        ("1.1.0", {"needs": "0009"}, "revision 0009 is not applied"),
    ],
)
def test_an_older_release_that_is_not_served_is_refused(
    older, history, database_url, version, options, reason
):
    """By the recorded state, in words that say why; no word of Alembic's."""
    older(version, **options)
    code, out, err = history.run(database_url)
    problem = json.loads(err)

    assert (code, out, problem["kind"]) == (1, "", "SchemaAhead")
    assert reason in problem["error"]
    assert f"c001 is applied, which shop {version} does not know" in problem["error"]


def test_a_dry_run_of_an_older_release_says_the_same(older, database_url):
    """Nothing is pending where it is served."""
    older("1.1.0")
    found = plan("shop", phase="expand", database_url=database_url, with_sql=True)

    assert (found.pending, found.sql, found.applied) == ([], {}, ["0001", "0002", "c001"])


def test_a_dry_run_of_one_that_is_not_served_is_refused(older, database_url):
    """As the run would be."""
    older("1.0.0")
    with pytest.raises(SchemaAhead, match=r"from 1\.1\.0 on") as refused:
        plan("shop", phase="expand", database_url=database_url)

    assert refused.value.heads == ("c001",)


def test_an_older_release_takes_nothing_of_a_newer_one_back(older, database_url, database):
    """It does not have the way back."""
    older("1.1.0")
    with pytest.raises(RevertRefused, match="the newer release that brought it"):
        revert("shop", to="0001", database_url=database_url)

    assert [each.revision for each in applied(database)] == ["0001", "0002", "c001"]
