"""The reference page of the errors: every code that the deployer can print has a section."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from deployer.analysis import Rule, VerdictKind
from deployer.programs import PROGRAMS

SOURCE = Path(__file__).parents[1] / "src" / "deployer"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "errors.md"
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def codes() -> Iterator[str]:
    """Every first argument of an error that is made, or passed on to one, in the source."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            yield from table_of_hints(node)
            if not isinstance(node, ast.Call) or not any(k.arg == "hint" for k in node.keywords):
                continue
            if isinstance(node.func, ast.Name) and node.func.id == "Finding":
                continue  # of the doctor: no error
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and CODE.fullmatch(str(first.value)):
                yield str(first.value)


def table_of_hints(node: ast.AST) -> Iterator[str]:
    """The keys of a module's HINTS: codes that are chosen by what was seen."""
    match node:
        case ast.Assign(targets=[ast.Name(id="HINTS")], value=ast.Dict(keys=keys)):
            yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))


def test_every_error_has_a_section_and_every_section_an_error():
    """The page is neither behind the code nor ahead of it."""
    sections = set(re.findall(r"^### (\S+)$", PAGE.read_text(), re.MULTILINE))

    programs = {f"{each.name}-{fault}" for each in PROGRAMS for fault in ("missing", "too-old")}

    assert sections == set(codes()) | programs | {"environment-broken", "releases-broken"}
    assert len(sections) > 30


def test_every_rule_of_the_analysis_has_a_section():
    """And no section speaks of a rule that there is not."""
    page = PAGE.with_name("verdicts.md").read_text()
    sections = re.findall(r"^### ([a-z-]+)$", page, re.MULTILINE)

    assert sorted(sections) == sorted(Rule)
    assert set(re.findall(r"^## ([a-z-]+)$", page, re.MULTILINE)) == set(VerdictKind)
