"""Change a service's schema: `python -m platform_kit.migrations order --phase expand`.

A history has two branches. `expand` runs before a rollout and leaves the old code working; `contract` runs after
it, when nothing needs what goes away. The runner takes them one at a time, under a lock, and writes down what it did.

Revisions call the helpers below. Each does one change in steps that nobody notices, is done again without harm
after a kill at any point, and says in its docstring which lock it takes and for how long. They are sorted by when they
may be called:

    expand          add_column, rename_column, change_type, split_column, merge_columns, rename_table
    both            backfill, create_index, add_check, add_foreign_key, add_unique, set_not_null
    contract        end_dual_write, end_rename_table, drop_column, drop_table, drop_index, drop_constraint,
                    replace_primary_key
    downgrade only  undo_add_column, undo_dual_write, undo_rename_table

Names are imported when they are first used: an instance reads a history's declaration, and must not pay for Alembic.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_kit.migrations.batches import backfill as backfill
    from platform_kit.migrations.columns import add_column as add_column
    from platform_kit.migrations.columns import undo_add_column as undo_add_column
    from platform_kit.migrations.constraints import add_check as add_check
    from platform_kit.migrations.constraints import add_foreign_key as add_foreign_key
    from platform_kit.migrations.constraints import add_unique as add_unique
    from platform_kit.migrations.constraints import drop_constraint as drop_constraint
    from platform_kit.migrations.constraints import replace_primary_key as replace_primary_key
    from platform_kit.migrations.constraints import set_not_null as set_not_null
    from platform_kit.migrations.declaration import Declaration as Declaration
    from platform_kit.migrations.declaration import read_declaration as read_declaration
    from platform_kit.migrations.dualwrite import change_type as change_type
    from platform_kit.migrations.dualwrite import end_dual_write as end_dual_write
    from platform_kit.migrations.dualwrite import merge_columns as merge_columns
    from platform_kit.migrations.dualwrite import rename_column as rename_column
    from platform_kit.migrations.dualwrite import split_column as split_column
    from platform_kit.migrations.dualwrite import undo_dual_write as undo_dual_write
    from platform_kit.migrations.environment import run_environment as run_environment
    from platform_kit.migrations.indexes import create_index as create_index
    from platform_kit.migrations.indexes import drop_index as drop_index
    from platform_kit.migrations.location import migrations_directory as migrations_directory
    from platform_kit.migrations.runner import Plan as Plan
    from platform_kit.migrations.runner import Revert as Revert
    from platform_kit.migrations.runner import Upgrade as Upgrade
    from platform_kit.migrations.runner import plan as plan
    from platform_kit.migrations.runner import revert as revert
    from platform_kit.migrations.runner import upgrade as upgrade
    from platform_kit.migrations.shadows import drop_column as drop_column
    from platform_kit.migrations.shadows import drop_table as drop_table
    from platform_kit.migrations.tables import end_rename_table as end_rename_table
    from platform_kit.migrations.tables import rename_table as rename_table
    from platform_kit.migrations.tables import undo_rename_table as undo_rename_table

_HOMES = {
    "Declaration": "declaration",
    "Plan": "runner",
    "Revert": "runner",
    "Upgrade": "runner",
    "add_check": "constraints",
    "add_column": "columns",
    "add_foreign_key": "constraints",
    "add_unique": "constraints",
    "backfill": "batches",
    "change_type": "dualwrite",
    "create_index": "indexes",
    "drop_column": "shadows",
    "drop_constraint": "constraints",
    "drop_index": "indexes",
    "drop_table": "shadows",
    "end_dual_write": "dualwrite",
    "end_rename_table": "tables",
    "merge_columns": "dualwrite",
    "migrations_directory": "location",
    "plan": "runner",
    "read_declaration": "declaration",
    "rename_column": "dualwrite",
    "rename_table": "tables",
    "replace_primary_key": "constraints",
    "revert": "runner",
    "run_environment": "environment",
    "set_not_null": "constraints",
    "split_column": "dualwrite",
    "undo_add_column": "columns",
    "undo_dual_write": "dualwrite",
    "undo_rename_table": "tables",
    "upgrade": "runner",
}

if not TYPE_CHECKING:  # else mypy would take any misspelt name for an `object`

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'platform_kit.migrations' has no attribute {name!r}")
        return getattr(import_module(f"platform_kit.migrations.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
