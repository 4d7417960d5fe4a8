"""Rollouts on paper: what goes out, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import git, set_version
from paper import Paper, never_ready
from shopfront import PRODUCT, wanted

from deployer.commands.context import open_context
from deployer.commands.release import build_release, parse_wanted, version_of
from deployer.commands.rollout import rollout
from deployer.commands.running import request
from deployer.commands.status import status
from deployer.commands.why import why
from deployer.engine import Phase
from deployer.errors import ConflictError, InputError, OperationError
from deployer.ledger import Verb
from deployer.ledger.holder import this_holder
from deployer.model import Slot
from deployer.releases import Version


def change_code(paper: Paper, text: str) -> None:
    route = paper.root / "services/product/src/product/routes.py"
    route.write_text(route.read_text() + f"\n# {text}\n")


def test_a_newer_version_is_promoted(paper: Paper):
    """It goes where nothing is live; what was live stays warm beside it, without traffic."""
    before = paper.context.target.situation(PRODUCT)
    version = paper.promote_next()
    (line,) = status(paper.context)

    assert before.live is Slot.BLUE
    assert line.live is not None
    assert line.standby is not None
    assert (line.live.slot, line.live.version, line.live.weight) == (Slot.GREEN, version, 100)
    assert (line.standby.slot, line.standby.version, line.standby.weight) == ("blue", "1.0.0", 0)
    assert line.standby_until is not None
    assert line.rollout is line.candidate is None


def test_the_slots_are_used_in_turn(paper: Paper):
    """The candidate throws out the standby, never the live one."""
    paper.promote_next()
    version = paper.promote_next()
    situation = paper.context.target.situation(PRODUCT)

    assert situation.live is Slot.BLUE
    live = situation.of(Slot.BLUE)
    assert live is not None
    assert live.release.version == version


def test_the_same_version_again_is_live_already(paper: Paper):
    """Nothing to do is no failure, and nothing in the ledger."""
    known = paper.context.ledger.history(PRODUCT)
    states = rollout(paper.context, [wanted()])

    assert states == (None,)
    assert "product@1.0.0 is live already" in paper.said
    assert paper.context.ledger.history(PRODUCT) == known


def test_a_known_version_with_other_content_is_refused(paper: Paper):
    """A version means the same bytes for ever; the hint says how to give the change its own."""
    change_code(paper, "Another content.")
    git(paper.root, "commit", "--all", "--message", "change, but keep the version")
    with pytest.raises(ConflictError) as refused:
        rollout(paper.context, [wanted()])

    assert refused.value.code == "version-conflict"
    assert "product@1.0.0 was deployed here before with other content" in refused.value.cause
    assert "services/product/pyproject.toml" in refused.value.hint


def test_a_known_version_with_another_configuration_is_refused(paper: Paper):
    """What is frozen with a release is part of it."""
    with pytest.raises(ConflictError) as refused:
        rollout(paper.context, [wanted("1.0.0", PRODUCT_GREETING="hello")])

    assert refused.value.code == "version-conflict"


def test_a_lower_version_needs_to_be_allowed(paper: Paper):
    """It is refused with both ways to do it, and done when it was meant."""
    live = paper.promote_next()
    set_version(paper.root, "0.9.0")
    with pytest.raises(InputError) as refused:
        rollout(paper.context, [wanted()])
    assert refused.value.code == "older-version"
    assert f"product@0.9.0 is older than the live {live}" in refused.value.cause
    assert "--allow-older" in refused.value.hint
    assert "rollback product --to 0.9.0" in refused.value.hint

    rollout(paper.context, [wanted()], allow_older=True, listen=paper.push)
    assert paper.live == "0.9.0"


def test_a_version_that_was_never_released_is_refused_with_those_known(paper: Paper):
    """Before anything is built."""
    with pytest.raises(InputError) as refused:
        rollout(paper.context, [wanted("7.7.7")])

    assert refused.value.code == "unknown-version"
    assert "product@7.7.7" in refused.value.cause
    assert refused.value.hint == "known versions: 1.0.0"
    assert "building product@7.7.7" not in paper.said


def test_a_service_named_twice_is_refused(paper: Paper):
    """Both can't be the next one."""
    with pytest.raises(InputError) as refused:
        rollout(paper.context, [wanted(), wanted("1.0.0")])

    assert refused.value.code == "service-twice"


@pytest.mark.parametrize(
    ("text", "configuration", "code"),
    [
        ("prodct", {}, "unknown-service"),
        ("product@1.0", {}, "version-not-semver"),
        ("product", {"lower": "1"}, "setting-broken"),
        ("product", {"": "1"}, "setting-broken"),
    ],
)
def test_what_is_asked_for_must_make_sense(
    paper: Paper, text: str, configuration: dict[str, str], code: str
):
    """A service that there is, a version that is one, settings that can be set."""
    with pytest.raises(InputError) as refused:
        parse_wanted(paper.context, text, configuration)

    assert (refused.value.code, refused.value.exit_code) == (code, 2)
    assert refused.value.hint


def test_what_is_asked_for_is_read(paper: Paper):
    """Service, version, and settings sorted by name."""
    asked = parse_wanted(paper.context, "product@1.2.3", {"B": "2", "A": "1"})

    assert asked.version == Version(1, 2, 3)
    assert asked.configuration == (("A", "1"), ("B", "2"))
    assert parse_wanted(paper.context, "product").version is None


def test_a_changed_tree_builds_development_versions(paper: Paper):
    """`<next patch>-dev.<n>`: the same change has the same number, the next change the next."""
    clean = version_of(paper.context, wanted())
    change_code(paper, "One change.")
    first = build_release(paper.context, wanted())
    again = build_release(paper.context, wanted())
    change_code(paper, "Another change.")
    foretold = version_of(paper.context, wanted())
    second = build_release(paper.context, wanted())

    assert str(clean) == "1.0.0"
    assert (first.version, first.commit) == ("1.0.1-dev.1", None)
    assert again == first
    assert str(foretold) == second.version == "1.0.1-dev.2"
    assert second.digest != first.digest


def record_release(paper: Paper, version: str, commit: str) -> None:
    record = paper.root / "services/product/releases.toml"
    record.write_text(f'[[release]]\nversion = "{version}"\ncommit = "{commit}"\n')
    git(paper.root, "commit", "--all", "--message", f"record product {version}")


def test_a_recorded_version_is_built_from_its_commit(paper: Paper):
    """Whatever the tree is by now."""
    commit = git(paper.root, "rev-parse", "HEAD")
    known = build_release(paper.context, wanted())
    record_release(paper, "1.0.0", commit)
    change_code(paper, "Later.")
    set_version(paper.root, "1.1.0")
    release = build_release(paper.context, wanted("1.0.0"))

    assert (release.version, release.commit, release.digest) == ("1.0.0", commit, known.digest)


def test_a_committed_change_of_a_recorded_version_is_a_development_version(paper: Paper):
    """The record says what 1.0.0 is; a tree that still says 1.0.0 but differs is none."""
    record_release(paper, "1.0.0", git(paper.root, "rev-parse", "HEAD"))
    assert str(version_of(paper.context, wanted())) == "1.0.0"
    change_code(paper, "Forgotten to raise the version.")
    git(paper.root, "commit", "--all", "--message", "change")

    assert str(version_of(paper.context, wanted())) == "1.0.1-dev.1"


@pytest.mark.parametrize("history", ["none", "its own"])
def test_a_copy_without_the_history_uses_the_code_at_hand(paper: Paper, history: str):
    """And says so: a copy of the files, or one that was given a history of its own."""
    record_release(paper, "0.9.0", "0" * 40)
    if history == "none":
        (paper.root / ".git").rename(paper.root / ".git-no-more")
    release = build_release(paper.context, wanted("0.9.0"))

    assert release.version == "0.9.0"
    assert any("using the code at hand as product@0.9.0" in text for text in paper.said)


def test_a_shallow_clone_says_how_to_get_the_history(paper: Paper, tmp_path: Path):
    """Other code under the version would be a lie that one command makes unnecessary."""
    record_release(paper, "0.9.0", "0" * 40)
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{paper.root}", "shallow")
    context = open_context(tmp_path / "shallow", "local")
    with pytest.raises(OperationError) as refused:
        build_release(context, wanted("0.9.0"))

    assert refused.value.code == "history-missing"
    assert "git fetch --unshallow" in refused.value.hint


def test_a_release_may_be_made_of_the_trees_code_under_any_version(paper: Paper):
    """For releases that exist to go wrong."""
    asked = wanted("9.9.9", PLATFORM_FAULT_ERROR_SHARE="1")
    with pytest.raises(InputError):
        build_release(paper.context, asked)
    object.__setattr__(asked, "same_code_as_tree", True)
    release = build_release(paper.context, asked)

    assert release.version == "9.9.9"
    assert release.configuration == (("PLATFORM_FAULT_ERROR_SHARE", "1"),)


def test_a_release_that_never_gets_ready_is_rolled_back_with_its_last_words(paper: Paper):
    """No traffic ever reached it; `why` has the log's tail."""
    version = paper.commit_next()
    paper.target.faults.unready = {version}
    (state,) = rollout(paper.context, [wanted()])
    (account,) = why(paper.context, PRODUCT)

    assert state is not None
    assert state.phase is Phase.ROLLED_BACK
    assert state.cause == f"never-ready: product@{version} ended"
    assert paper.live == "1.0.0"
    (failed,) = (each for each in account.decisions if each.rule == "action failed")
    assert failed.reason.splitlines() == [f"never-ready: product@{version} ended", "last words"]
    assert (failed.before, failed.after, failed.weight) == ("starting", "guarding", 0)


def test_a_failed_version_may_be_tried_again(paper: Paper):
    """The same content is the same release, whatever became of it."""
    paper.commit_next()
    paper.target.faults.errors["migrate"] = [never_ready(build_release(paper.context, wanted()))]
    (failed,) = rollout(paper.context, [wanted()])
    (state,) = rollout(paper.context, [wanted()], listen=paper.push)

    assert failed is not None
    assert state is not None
    assert [failed.phase, state.phase] == [Phase.ROLLED_BACK, Phase.PROMOTED]


def test_nothing_can_be_asked_of_no_rollout(paper: Paper):
    """The hint says what undoes one that is over."""
    with pytest.raises(InputError) as refused:
        request(paper.context, PRODUCT, Verb.PROMOTE, why="too late")

    assert refused.value.code == "no-rollout-running"
    assert "deployer rollback product" in refused.value.hint


def test_why_of_a_service_that_never_was_here(checkout, context):
    """There is nothing to tell."""
    with pytest.raises(InputError) as refused:
        why(context, PRODUCT)

    assert (refused.value.code, refused.value.hint) == ("not-installed", "deployer up")


def test_why_tells_every_decision_of_the_last_rollouts(paper: Paper):
    """Newest first, each with the moment, the weight, the rule and the person who asked."""
    first = paper.promote_next()
    second = paper.promote_next()
    newest, before = why(paper.context, PRODUCT, limit=2)

    assert (newest.candidate, newest.live, newest.kind) == (second, first, "rollout")
    assert (newest.outcome, before.candidate) == ("promoted", first)
    assert newest.seconds > 0
    path = [decision.after for decision in newest.decisions]
    assert path[0] == Phase.STARTING
    assert path[-3:] == [Phase.PROMOTING, Phase.MONITORING, Phase.PROMOTED]
    asked = [decision for decision in newest.decisions if decision.rule == "asked for"]
    assert [decision.weight for decision in asked] == [50, 100]
    assert asked[0].reason == "promoted by the scenario"
    times = [decision.at for decision in newest.decisions]
    assert times == sorted(times)


def test_a_rollout_while_one_runs_is_refused(paper: Paper):
    """Nothing is built for it either."""
    lease = paper.context.ledger.acquire(PRODUCT, this_holder(), now=paper.context.clock.now())
    said = list(paper.said)
    with pytest.raises(ConflictError) as refused:
        rollout(paper.context, [wanted()])
    paper.context.ledger.release(lease)

    assert refused.value.code == "rollout-running"
    assert paper.said == said
