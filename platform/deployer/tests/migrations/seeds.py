"""Revisions that are put on top of a copy of product's history."""

from __future__ import annotations

import shutil
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[4]
DATA = tomllib.loads((Path(__file__).parent / "seeds.toml").read_text())
REVISION = '''"""{kind}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import platform_kit.migrations as kit

revision = "0003"
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}
oldest_release = {oldest!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


@dataclass(frozen=True)
class Seed:
    """One change; `rule` is what the gate has to say, None for a safe one."""

    kind: str
    rule: str | None
    text: str


def seeds(kind: str) -> tuple[Seed, ...]:
    """Every seed of a kind: breaking or safe."""
    return tuple(Seed(row["kind"], row.get("rule"), _text(row)) for row in DATA[kind])


def _text(row: dict[str, str]) -> str:
    contract = row.get("phase") == "contract"
    return REVISION.format(
        kind=row["kind"].capitalize(),
        down=None if contract else row.get("down_revision", "0002"),
        labels=("contract",) if contract else None,
        depends=row.get("depends_on"),
        oldest=row.get("oldest_release"),
        upgrade=_body(row["upgrade"]),
        downgrade=_body(row.get("downgrade", "pass")),
    )


def _body(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip(), "    ").strip()


def plant(seed: Seed, root: Path) -> Path:
    """Copy product's code and history, put the seed on top, and return the history's folder."""
    ignored = shutil.ignore_patterns("__pycache__", "releases.toml")
    for path in ("services/product/src", "migrations/product"):
        shutil.copytree(REPOSITORY / path, root / path, ignore=ignored)
    history = root / "migrations/product"
    for file in history.glob("versions/*.py"):
        if file.name[:4] > "0002":
            file.unlink()  # the seed takes the place of what came after
    (history / "schema.toml").write_text('needs = "0002"\n')
    (history / "versions/0003_seed.py").write_text(seed.text)
    return history
