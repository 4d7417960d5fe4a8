"""What a service's unit test and `deployer flag list` say about flags: nothing goes unnoticed."""

from datetime import date

import pytest
from flag_files import ALL, boolean, definition

from platform_kit.flags import BooleanFlag, Finding, FlagSet, check, flags_file
from platform_kit.flags.findings import FindingKind


def kinds(found):
    return [(finding.kind, finding.flag) for finding in found]


def test_what_goes_together_has_no_findings(flags, write):
    """The good case, without a date and with one before the flag's end."""
    path = write(new_listing=definition())

    assert check(flags, path) == check(flags, path, today=date(2026, 1, 1)) == []


def test_a_flag_that_is_not_declared_is_found(flags, write):
    """A slip in the key, or one that was forgotten when the code went."""
    path = write(new_listing=definition(), new_listign=definition())

    assert kinds(check(flags, path)) == [(FindingKind.UNKNOWN, "new-listign")]


def test_a_flag_that_is_not_in_the_file_is_found(flags, write):
    """It says what everybody gets."""
    (finding,) = check(flags, write())

    assert (finding.kind, finding.flag) == (FindingKind.MISSING, "new-listing")
    assert "everybody gets False" in finding.text


def test_a_flag_of_another_type_is_found(flags, write):
    """With the place in the file."""
    (finding,) = check(flags, write(new_listing=definition(variants={"on": 1, "off": 0})))

    assert (finding.kind, finding.flag) == (FindingKind.WRONG_TYPE, "new-listing")
    assert "flags.new-listing.variants is of type number" in finding.text


@pytest.mark.parametrize(
    ("today", "found"),
    [(date(2026, 2, 27), 0), (date(2026, 2, 28), 1), (date(2026, 3, 1), 1)],
)
def test_a_flag_is_expired_from_its_day_on(write, today, found):
    """With whose it is."""
    flag = BooleanFlag("old", **{**ALL, "expires": date(2026, 2, 28)}, default=False)
    findings = check(FlagSet("product", flag), write(old=definition()), today=today)

    assert kinds(findings) == [(FindingKind.EXPIRED, "old")] * found
    assert all("flag 'old' of us was to be gone by 2026-02-28" in each.text for each in findings)


def test_without_a_date_nothing_is_expired(write):
    """A test must not begin to fail by itself one morning."""
    flag = BooleanFlag("old", **{**ALL, "expires": date(2020, 1, 1)}, default=False)

    assert check(FlagSet("product", flag), write(old=definition())) == []


def test_a_flag_that_is_broken_is_found_with_its_place(flags, write):
    """It alone: the rest of the file was not looked at."""
    found = check(flags, write(new_listing={"state": "ON"}), today=date(3000, 1, 1))

    assert kinds(found) == [
        (FindingKind.EXPIRED, "new-listing"),
        (FindingKind.FILE_BROKEN, "new-listing"),
    ]
    assert "flags.new-listing.state" in found[1].text


@pytest.mark.parametrize("text", [None, "{"])
def test_a_file_that_is_none_is_found(flags, tmp_path, text):
    """Absent, or no JSON."""
    path = tmp_path / "flags.json"
    if text:
        path.write_text(text)

    assert kinds(check(flags, path)) == [(FindingKind.FILE_BROKEN, "")]


def test_the_file_is_the_one_that_the_service_is_shipped_with(tmp_path, monkeypatch):
    """In a checkout beside the sources, in a wheel inside the package: that one wins."""
    package = tmp_path / "services" / "talker" / "src" / "talker"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(package.parent))
    nowhere = flags_file("talker")
    (tmp_path / "services" / "talker" / "flags.json").write_text('{"flags": {}}')
    checkout = flags_file("talker")
    (package / "flags.json").write_text('{"flags": {}}')

    assert nowhere == flags_file("talker") == package / "flags.json"
    assert checkout == tmp_path / "services" / "talker" / "flags.json"
    assert check(FlagSet("talker")) == []


def test_a_service_that_is_not_installed_has_no_file(tmp_path, monkeypatch):
    """The finding names where it was looked for."""
    monkeypatch.chdir(tmp_path)
    (finding,) = check(FlagSet("no-such-service", boolean()))

    assert finding == Finding(FindingKind.FILE_BROKEN, "", finding.text)
    assert "no-such-service/flags.json" in finding.text
