"""`python -m platform_kit.flags`: what other programs read of a service's flags."""

import json

import pytest
from flag_files import content, definition

from platform_kit.flags.__main__ import main

FLAGS = """
from datetime import date

from platform_kit.flags import BooleanFlag, FlagSet

LOUD = BooleanFlag(
    "loud", default=False, owner="us", expires=date(2020, 1, 1), description="Words in capitals."
)
FLAGS = FlagSet("shouter", LOUD)
"""


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A service of a name of its own: a module is imported once."""
    package = tmp_path / f"shouter{abs(hash(request.node.name))}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def said(capsys, *arguments):
    main([str(argument) for argument in arguments])
    return json.loads(capsys.readouterr().out)


def test_it_says_what_is_declared_and_what_is_wrong(package, capsys):
    """With the file that the service was shipped with; the exit code is 0."""
    (package / "flags.py").write_text(FLAGS)
    (package / "flags.json").write_text(content(loud=definition()))
    told = said(capsys, package.name)

    assert told["flags"] == [
        {
            "key": "loud",
            "type": "boolean",
            "default": False,
            "owner": "us",
            "expires": "2020-01-01",
            "description": "Words in capitals.",
        }
    ]
    assert told["file"] == str(package / "flags.json")
    assert [each["kind"] for each in told["findings"]] == ["expired"]


def test_it_checks_another_file(package, capsys, tmp_path):
    """Such as one that is about to be mounted."""
    (package / "flags.py").write_text(FLAGS)
    other = tmp_path / "other.json"
    other.write_text(content(lout=definition()))
    told = said(capsys, package.name, "--file", other)

    assert [(each["kind"], each["flag"]) for each in told["findings"]] == [
        ("expired", "loud"),
        ("missing", "loud"),
        ("unknown", "lout"),
    ]


@pytest.mark.parametrize("module", [None, "", "FLAGS = ()"])
def test_a_service_without_flags_says_so(package, capsys, module):
    """No module, none of that name in it, or something else."""
    if module is not None:
        (package / "flags.py").write_text(module)
    with pytest.raises(SystemExit) as ended:
        main([package.name])

    assert ended.value.code == 1
    assert "declares no flags" in json.loads(capsys.readouterr().err)["error"]
