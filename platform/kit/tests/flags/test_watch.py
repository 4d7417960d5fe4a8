"""The flags' file while it changes: every way of replacing it is seen, and a broken one changes nothing."""

import json
import os
import threading
import time

import pytest
from flag_files import content, definition, split

from platform_kit.flags import watch as watching
from platform_kit.flags.watch import FlagWatch

ON, OFF = definition(defaultVariant="on"), definition()
BUDGET_SECONDS = 0.2


@pytest.fixture
def watch(flags, tmp_path):
    return FlagWatch(flags, tmp_path / "flags.json")


@pytest.fixture
def running(watch):
    """The watch, looking by itself."""
    stop = threading.Event()
    thread = threading.Thread(target=watch.run_until, args=(stop,))
    thread.start()
    yield watch
    stop.set()
    thread.join()


def in_place(path, text):
    path.write_text(text)


def by_rename(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def by_link(path, text):
    """As the kubelet replaces what a ConfigMap holds: flags.json -> ..data/flags.json, ..data -> a folder a version."""
    folder = path.parent / f"..{time.monotonic_ns()}"
    folder.mkdir()
    (folder / path.name).write_text(text)
    link = path.parent / "..data_tmp"
    link.symlink_to(folder.name)
    link.replace(path.parent / "..data")
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        path.symlink_to(f"..data/{path.name}")


@pytest.mark.parametrize("replace", [in_place, by_rename, by_link])
def test_a_change_is_in_force_at_the_next_look(watch, listing, replace):
    """Ten changes, each at once after the other, of equal length: no clock tells them apart."""
    for n in range(10):
        replace(watch.path, content(new_listing=ON if n % 2 else split(0)).ljust(200))
        watch.look()

        assert listing.on("ada") is bool(n % 2)


@pytest.mark.parametrize("replace", [in_place, by_rename, by_link])
def test_a_change_is_in_force_within_200_ms(running, listing, replace, eventually):
    """Looking by itself. The best of five: the machine may be busy with other things."""
    took = []
    for n in range(5):
        replace(running.path, content(new_listing=ON if n % 2 == 0 else OFF))
        began = time.monotonic()
        eventually(lambda n=n: listing.on("ada") is (n % 2 == 0))
        took.append(time.monotonic() - began)

    assert min(took) <= BUDGET_SECONDS


def test_a_file_that_stays_is_read_once(watch, monkeypatch, capsys):
    """A look is a `stat`."""
    by_rename(watch.path, content(new_listing=ON))
    os.utime(watch.path, (1_700_000_000, 1_700_000_000))
    reads = []
    read = watching.read_flags
    monkeypatch.setattr(watching, "read_flags", lambda path: reads.append(path) or read(path))
    for _ in range(5):
        watch.look()

    assert reads == [watch.path]


def test_what_is_written_again_in_the_same_moment_is_seen(watch, listing, monkeypatch):
    """The same size, the same inode and the same time: within a tick of the clock nothing is relied on."""
    monkeypatch.setattr(watching, "TICK_SECONDS", 60)
    now = time.time_ns()
    for tree, expected in ((split(10), False), (split(99), True)):
        watch.path.write_text(content(new_listing=tree))
        os.utime(watch.path, ns=(now, now))
        watch.look()

        assert listing.on("user-1") is expected


@pytest.mark.parametrize("broken", ["", '{"flags": {"new-listing"', content(new_listing={})])
def test_a_broken_file_changes_nothing(watch, listing, broken):
    """What was read last stays in force, and the state says why."""
    in_place(watch.path, content(new_listing=ON))
    watch.look()
    before = watch.state
    in_place(watch.path, broken)
    watch.look()

    assert listing.on("ada") is True
    assert (watch.state.digest, watch.state.loaded_at) == (before.digest, before.loaded_at)
    assert watch.state.error


def test_a_file_that_is_away_changes_nothing(watch, listing):
    """Neither at the first look, when the defaults of the code are in force, nor later."""
    watch.look()
    first = watch.state
    in_place(watch.path, content(new_listing=ON))
    watch.look()
    watch.path.unlink()
    watch.look()

    assert first.digest == ""
    assert "No such file or directory" in first.error
    assert "No such file or directory" in watch.state.error
    assert listing.on("ada") is True


@pytest.mark.parametrize("trouble", ["away", "broken"])
def test_the_same_content_is_in_force_again_after_trouble(watch, trouble):
    """The state says that all is well, though nothing else is new."""
    in_place(watch.path, content(new_listing=ON))
    watch.look()
    digest = watch.state.digest
    watch.path.unlink() if trouble == "away" else in_place(watch.path, "")
    watch.look()
    error = watch.state.error
    in_place(watch.path, content(new_listing=ON))
    watch.look()

    assert error
    assert (watch.state.error, watch.state.digest) == (None, digest)


def test_every_change_is_logged_once(watch, capsys):
    """With what came into force, or why nothing did."""
    for text in (content(new_listing=ON), "{", "[", content(new_listing=OFF)):
        in_place(watch.path, text)
        for _ in range(3):
            watch.look()
    watch.path.unlink()
    for _ in range(3):
        watch.look()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert [line["event"] for line in lines] == [
        "flags_loaded",
        "flags_refused",
        "flags_refused",
        "flags_loaded",
        "flags_refused",
    ]
    assert lines[1]["in_force"] == lines[0]["digest"]
    assert lines[4]["in_force"] == lines[3]["digest"] == watch.state.digest
    assert "it is no JSON" in lines[1]["error"]


def test_the_codes_defaults_have_no_digest(watch, capsys):
    """The log says what is in force all the same."""
    watch.look()

    assert json.loads(capsys.readouterr().err)["in_force"] == "the code's defaults"


def test_a_half_written_file_is_never_in_force(running, listing, eventually):
    """Written piece by piece, as by an editor that does not rename: old, then new, and nothing else."""
    in_place(running.path, content(new_listing=split(100)))
    eventually(lambda: listing.on("ada"))
    text = content(new_listing=split(100), other=OFF)
    seen = set()
    with running.path.open("w") as file:
        for letter in text:
            file.write(letter)
            file.flush()
            running.look()
            seen.add(listing.on("ada"))

    assert seen == {True}
    assert running.state.error is None
