"""A phase of its own: refused, before anything is done, while a running release needs what goes."""

from __future__ import annotations

import pytest
from checkouts import git
from click.testing import CliRunner
from paper import Paper
from shopfront import PRODUCT, wanted

from deployer.cli.main import program
from deployer.commands.migrations_apply import (
    apply,
    plan_apply,
    require_nobody_misses,
    require_nobody_stranded,
)
from deployer.commands.release import build_release
from deployer.commands.running import retire_standbys
from deployer.errors import ConflictError, InputError

CONTRACT = '''"""The description is gone."""

revision = "0101"
down_revision = None
branch_labels = ("contract",)
depends_on = "0002"
oldest_release = "1.1.0"
'''
EXPAND = '''"""A colour."""

revision = "0900"
down_revision = {head!r}
branch_labels = None
depends_on = None
'''


def write(paper: Paper, number: str, text: str) -> None:
    """Write a revision; the next version that is committed carries it."""
    (paper.root / f"migrations/product/versions/{number}.py").write_text(text)
    git(paper.root, "add", "--all")


def newest(paper: Paper) -> str:
    """The newest expand revision that product has here, before a test adds one."""
    from deployer.migrations.declared import read_folder

    return read_folder(paper.root / "migrations/product").of("expand")[-1].revision


@pytest.fixture
def contracting(paper: Paper) -> Paper:
    """1.1.0 is live and brings a contract; 1.0.0, which it strands, is in standby."""
    write(paper, "0101", CONTRACT)
    paper.promote_next()
    paper.target.calls.clear()
    return paper


@pytest.mark.integration
def test_a_contract_is_refused_while_the_standby_needs_what_goes(contracting: Paper):
    """The error names the release, and nothing was done."""
    with pytest.raises(ConflictError) as refused:
        apply(contracting.context, wanted(), phase="contract")

    assert refused.value.code == "contract-too-early"
    assert "product@1.0.0, in standby" in refused.value.cause
    assert "0101 takes away: The description is gone." in refused.value.cause
    assert contracting.target.calls == []


@pytest.mark.integration
def test_the_command_exits_with_1_and_names_the_release(contracting: Paper, monkeypatch):
    """As somebody who calls it too early sees it."""
    monkeypatch.setattr(
        "deployer.cli.migrations.open_environment", lambda _name: contracting.context
    )
    words = ["migrations", "apply", "product", "--phase", "contract"]
    result = CliRunner().invoke(program, words)

    assert result.exit_code == 1
    assert "error[contract-too-early]: product@1.0.0" in result.stderr


@pytest.mark.integration
def test_a_contract_is_applied_after_the_standby(contracting: Paper):
    """The slot stays installed with no instance: it holds up nobody."""
    until = contracting.context.target.situation(PRODUCT).standby_until
    assert until is not None
    contracting.context.__dict__["clock"] = AtLast(until)
    retire_standbys(contracting.context)
    contracting.target.calls.clear()

    assert [each.revision for each in plan_apply(contracting.context, wanted(), phase="contract")]
    assert apply(contracting.context, wanted(), phase="contract") == ()
    assert contracting.target.calls == ["migrate"]


class AtLast:
    """A clock after the standby."""

    def __init__(self, until: float) -> None:
        self._now = until + 1

    def now(self) -> float:
        return self._now


@pytest.mark.integration
def test_an_expand_waits_for_nobody(contracting: Paper):
    """While the contract is still refused."""
    assert apply(contracting.context, wanted(), phase="expand") == ()
    assert contracting.target.calls == ["migrate"]


@pytest.mark.integration
def test_a_release_that_brings_the_contract_is_not_measured_by_its_number(paper: Paper):
    """It was written with it: only the release in standby is told."""
    write(paper, "0101", CONTRACT.replace("1.1.0", "9.0.0"))
    paper.promote_next()
    release = build_release(paper.context, wanted())
    with pytest.raises(ConflictError) as refused:
        require_nobody_stranded(paper.context, release, phase="contract")

    assert refused.value.cause.startswith("product@1.0.0, in standby")
    assert refused.value.details == ()


@pytest.mark.integration
def test_an_expand_that_the_live_release_needs_is_not_taken_back(paper: Paper):
    """It carries it, and declares no older revision that it runs on."""
    head = newest(paper)
    (paper.root / "migrations/product/schema.toml").unlink(missing_ok=True)
    write(paper, "0900", EXPAND.format(head=head))
    paper.promote_next()
    release = build_release(paper.context, wanted())
    with pytest.raises(ConflictError) as refused:
        require_nobody_misses(paper.context, release, to=head)

    assert refused.value.code == "revision-needed"
    assert refused.value.cause == "product@1.1.0, live, needs expand 0900: A colour."


@pytest.mark.integration
def test_an_expand_that_nobody_needs_may_be_taken_back(paper: Paper):
    """Live is 1.0.0, which knows nothing of it."""
    head = newest(paper)
    write(paper, "0900", EXPAND.format(head=head))
    paper.commit_next()
    going = require_nobody_misses(paper.context, build_release(paper.context, wanted()), to=head)

    assert [each.revision for each in going] == ["0900"]


@pytest.mark.integration
def test_a_release_that_declares_an_older_need_lets_the_newer_go(paper: Paper):
    """`schema.toml` says what it runs on."""
    head = newest(paper)
    (paper.root / "migrations/product/schema.toml").write_text(f'needs = "{head}"\n')
    write(paper, "0900", EXPAND.format(head=head))
    paper.promote_next()
    release = build_release(paper.context, wanted())

    assert require_nobody_misses(paper.context, release, to=head)


@pytest.mark.integration
def test_a_revision_that_there_is_not_is_misuse(paper: Paper):
    """The hint names those there are."""
    release = build_release(paper.context, wanted())
    with pytest.raises(InputError) as refused:
        require_nobody_misses(paper.context, release, to="4711")

    assert refused.value.code == "unknown-revision"
    assert "0001" in refused.value.hint
