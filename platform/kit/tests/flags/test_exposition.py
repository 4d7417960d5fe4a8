"""Flags in an app: read when it is made, watched while it serves, and told on /metrics."""

import time
from pathlib import Path

import pytest
from flag_files import content, definition, split
from prometheus_client.parser import text_string_to_metric_families

from platform_kit import start_background
from platform_kit.instance import Instance

IDENTITY = {"service": "product", "version": "1.1.0", "slot": "green"}


@pytest.fixture
def app(make_app, settings, flags, write):
    path = write(new_listing=split(100))
    return make_app(flags=flags, settings=settings.model_copy(update={"flags_file": path}))


def samples(app, name):
    text = Instance.of(app).metrics.exposition().decode()
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def value(app, name):
    ((_, value),) = samples(app, name)
    return value


def test_decisions_are_told_by_flag_and_variant(app, listing):
    """The labels of all other metrics, and those two; a variant that nobody got is there with 0."""
    for _ in range(3):
        listing.on("ada")
    told = {
        labels.pop("variant"): (labels, value)
        for labels, value in samples(app, "flag_decisions_total")
    }

    assert told == {
        "(default)": ({**IDENTITY, "flag": "new-listing"}, 0),
        "on": ({**IDENTITY, "flag": "new-listing"}, 3),
        "off": ({**IDENTITY, "flag": "new-listing"}, 0),
    }


def test_the_app_decides_by_the_file_from_its_first_request_on(app, listing):
    """Before any thread was started."""
    assert listing.on("ada") is True


def test_the_file_is_told(app):
    """That it is in force, since when, and which one."""
    ((labels, one),) = samples(app, "flag_file_info")

    assert value(app, "flag_file_ok") == 1
    assert abs(value(app, "flag_file_loaded_timestamp_seconds") - time.time()) < 60
    assert labels == {**IDENTITY, "file": labels["file"], "digest": labels["digest"]}
    assert (Path(labels["file"]).name, len(labels["digest"]), one) == ("flags.json", 12, 1)


def test_a_broken_file_is_told(app, listing, write, tmp_path, eventually):
    """What was in force before still is, by its digest; and then the next one."""
    before = samples(app, "flag_file_info")
    with start_background(app):
        (tmp_path / "flags.json").write_text("{")
        eventually(lambda: value(app, "flag_file_ok") == 0)
        during = samples(app, "flag_file_info")
        write(new_listing=definition(state="DISABLED"))
        eventually(lambda: value(app, "flag_file_ok") == 1)

    assert during == before != samples(app, "flag_file_info")
    assert listing.on("ada") is False


def test_an_app_that_is_made_without_its_file_serves_the_codes_defaults(
    make_app, settings, flags, listing, tmp_path
):
    """A file that is away must not keep an instance from starting."""
    absent = settings.model_copy(update={"flags_file": tmp_path / "absent.json"})
    app = make_app(flags=flags, settings=absent)

    assert app.test_client().get("/api").status_code == 200
    assert listing.on("ada") is False
    assert value(app, "flag_file_ok") == value(app, "flag_file_loaded_timestamp_seconds") == 0


def test_the_setting_may_name_a_file_that_comes_later(
    make_app, settings, flags, listing, monkeypatch, tmp_path, eventually
):
    """A ConfigMap that is made after the pod: until then the shipped file is in force, and not ever after."""
    shipped, awaited = tmp_path / "shipped.json", tmp_path / "mounted.json"
    shipped.write_text(content(new_listing=definition(defaultVariant="on")))
    monkeypatch.setattr("platform_kit.app.flags_file", lambda _: shipped)
    app = make_app(flags=flags, settings=settings.model_copy(update={"flags_file": awaited}))
    before = listing.on("ada")
    with start_background(app):
        awaited.write_text(content(new_listing=definition()))
        eventually(lambda: not listing.on("ada"))
        awaited.unlink()
        eventually(lambda: value(app, "flag_file_ok") == 0)

    assert (before, listing.on("ada")) == (True, False)


def test_a_service_without_flags_tells_nothing_of_them(make_app):
    """Not even that there is no file."""
    app = make_app()

    assert samples(app, "flag_file_ok") == samples(app, "flag_decisions_total") == []


def test_the_setting_names_another_file(monkeypatch, tmp_path, make_app, flags, listing):
    """PLATFORM_FLAGS_FILE, as a mounted ConfigMap has it."""
    path = tmp_path / "mounted.json"
    path.write_text(content(new_listing=definition(defaultVariant="on")))
    monkeypatch.setenv("PLATFORM_FLAGS_FILE", str(path))
    make_app(flags=flags, settings=None)

    assert listing.on("ada") is True
