"""Mutation testing, a sample: how many small changes to the engine and the analysis go unnoticed?

Cosmic Ray finds and makes the mutants (it works on files, so the `src` layout and editable installs
are no matter); this draws a seeded sample, runs the pure tests against each mutant in a copy of the
deployer, never in the checkout, and prints one JSON object: killed, total, and the survivors. Exit
1 below GOAL. A mutant takes about two seconds when a test catches it and eight when none does.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkItem

ROOT = Path(__file__).parents[2]
MUTATED = ("engine", "analysis")
TESTS = ("engine", "analysis")
PROPERTIES = Path("tests/engine/test_properties.py")  # the slowest, so what comes last
EXAMPLES = 60  # of the properties: two seconds; a mutant that breaks an invariant does so soon
GOAL = 0.80
TIMEOUT_TIMES = 4.0  # what all the tests take without a mutant: an endless loop counts as killed
# Changes that no test could notice: unions of types in annotations, and identity for equality of
# enum members and small numbers. And changes that any test notices, which would flatter the share:
# operators on bits, that floats refuse.
WORTHLESS = re.compile(
    r"core/(ReplaceBinaryOperator_(BitOr_\w+|\w+_(BitOr|BitAnd|BitXor|LShift|RShift))"
    r"|ReplaceComparisonOperator_(Is_Eq|Eq_Is|IsNot_NotEq|NotEq_IsNot))"
)
# Nor are a cache's size and a value's slots noticed, and a dataclass that is none any more always is.
DECORATED = re.compile(r"\s*@(lru_cache|cache|dataclass)\b")


def main() -> int:
    """Draw the sample, test each mutant, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        tree = copy_deployer(Path(folder))
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree / "src")  # before the editable install
        os.environ["ENGINE_EXAMPLES"] = str(EXAMPLES)
        command = (
            f"{sys.executable} -m pytest -x -q -p no:cacheprovider --hypothesis-seed=0"
            f" {' '.join(tests())}"
        )
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
        timeout = TIMEOUT_TIMES * (time.monotonic() - began)
        mutants = draw(options.sample, seed=options.seed)
        survivors = [text for mutant in mutants if (text := survives(mutant, command, timeout))]
    killed = len(mutants) - len(survivors)
    result = {
        "killed": killed,
        "total": len(mutants),
        "share": round(killed / len(mutants), 3),
        "goal": GOAL,
        "seed": options.seed,
        "seconds": round(time.monotonic() - began, 1),
        "survivors": survivors,
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if killed >= GOAL * len(mutants) else 1


def copy_deployer(folder: Path) -> Path:
    """Copy what the tests need, so that no mutant is ever in the checkout."""
    tree = folder / "deployer"
    ignore = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.egg-info")
    for part in ("src", "tests"):
        shutil.copytree(ROOT / "platform" / "deployer" / part, tree / part, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tree / "pyproject.toml")
    return tree


def tests() -> list[str]:
    """Return the files of tests, the quick ones first: the first that fails ends a run."""
    found = [path for folder in TESTS for path in sorted(Path("tests", folder).glob("test_*.py"))]
    return [str(path) for path in sorted(found, key=lambda path: path == PROPERTIES)]


def draw(sample: int, *, seed: int) -> list[MutationSpec]:
    """Return the sample: so many of all mutants, in an order that only the seed decides."""
    modules = [
        path for package in MUTATED for path in sorted(Path("src/deployer", package).glob("*.py"))
    ]
    with use_db("session.sqlite", WorkDB.Mode.create) as db:
        init(modules, db, {})
        items: tuple[WorkItem, ...] = db.work_items
    mutants = [item.mutations[0] for item in items if counts(item.mutations[0])]
    mutants.sort(key=lambda each: (each.module_path, each.operator_name, each.occurrence))
    say(f"{len(mutants)} mutants, {min(sample, len(mutants))} drawn")
    return random.Random(seed).sample(mutants, min(sample, len(mutants)))


def counts(mutant: MutationSpec) -> bool:
    """Whether the mutant says something about the tests."""
    row, column = mutant.start_pos
    line = mutant.module_path.read_text().splitlines()[row - 1]
    if line[column:].startswith("*,"):  # what makes arguments keyword-only, taken for a product
        return False
    return not (WORTHLESS.fullmatch(mutant.operator_name) or DECORATED.match(line))


def survives(mutant: MutationSpec, command: str, timeout: float) -> str | None:
    """Run the tests against a mutant; return what was changed when they all pass."""
    result = mutate_and_test([mutant], command, timeout)
    where = f"{mutant.module_path}:{mutant.start_pos[0]} {mutant.operator_name}"
    if result.is_killed:
        # A machine that is busy with other things shows here: many endless loops are none.
        say(f"{'timed out' if result.output == 'timeout' else 'killed   '} {where}")
        return None
    changes = [
        line
        for line in (result.diff or "").splitlines()
        if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))
    ]
    say(f"SURVIVED  {where}")
    return f"{where}: {' '.join(' '.join(changes).split())}"


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
