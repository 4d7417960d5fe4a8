"""What is known of a schema: what was there before, and what a file has made or taken away since.

A lint without any knowledge takes every table it does not see made for one that is there and full.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace

from deployer.migrations import operations as op
from deployer.migrations.operations import (
    Column,
    Constraint,
    ConstraintKind,
    Operation,
    Statement,
)

UNIQUE = {ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY}


@dataclass(slots=True)
class Table:
    """A table or view: its columns, its constraints by name, and what it reads when it is a view."""

    columns: dict[str, Column] = field(default_factory=dict)
    constraints: dict[str, Constraint] = field(default_factory=dict)
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Index:
    """An index: on which table, of which columns."""

    table: str
    columns: tuple[str, ...]
    unique: bool


class Schema:
    """Tables, indexes and domains; `new` are the objects that came after `settle`."""

    def __init__(self, statements: tuple[Statement, ...] = ()) -> None:
        self.tables: dict[str, Table] = {}
        self.indexes: dict[str, Index] = {}
        self.domains: set[str] = set()
        self.new: set[str] = set()
        for statement in statements:
            self.apply(statement)
        self.new.clear()

    def copy(self) -> Schema:
        """Return another one that knows the same."""
        return deepcopy(self)

    def is_new(self, name: str) -> bool:
        """Whether a table or another object was made in this file."""
        return name in self.new

    def column(self, table: str, name: str) -> Column | None:
        """Return a column, if it is known."""
        return self.tables[table].columns.get(name) if table in self.tables else None

    def constraint(self, table: str, name: str) -> Constraint | None:
        """Return a constraint, if it is known."""
        return self.tables[table].constraints.get(name) if table in self.tables else None

    def constraints(self, table: str) -> tuple[Constraint, ...]:
        """Return the constraints that are known of a table."""
        return tuple(self.tables[table].constraints.values()) if table in self.tables else ()

    def proven_not_null(self, table: str, column: str) -> bool:
        """Whether a validated check holds the column not to be NULL."""
        return any(
            each.valid and column in each.proves_not_null for each in self.constraints(table)
        )

    def table_of(self, index: str) -> str:
        """Return the table of an index, or a name for one that is not known."""
        return self.indexes[index].table if index in self.indexes else f"(table of {index})"

    def indexed(self, table: str, columns: tuple[str, ...]) -> bool:
        """Whether an index or a key begins with the columns."""
        leading = [each.columns for each in self.indexes.values() if each.table == table]
        leading += [each.columns for each in self.constraints(table) if each.kind in UNIQUE]
        return any(have[: len(columns)] == columns for have in leading)

    def parents(self, table: str) -> tuple[str, ...]:
        """Return the tables that a table's foreign keys point to."""
        return tuple(each.parent for each in self.constraints(table) if each.parent)

    def children(self, table: str) -> tuple[str, ...]:
        """Return the tables whose foreign keys point to a table."""
        return tuple(name for name in self.tables if table in self.parents(name))

    def apply(self, statement: Statement) -> None:
        """Take in what a statement did."""
        for operation in statement.operations:
            self._apply(operation)

    def _apply(self, operation: Operation) -> None:  # noqa: C901  # a case an operation
        match operation:
            case op.CreateTable():
                self._create(operation)
            case op.CreateView(name, _reads, _replace, materialized):
                kind = "materialized view" if materialized else "view"
                self._new_table(name, Table(kind=kind))
            case op.CreateIndex(name, table, columns, unique):
                self.indexes[name] = Index(table, columns, unique)
                self.new.add(name)
            case op.Create(_kind, name):
                self.new.add(name)
            case op.DomainChange(name, _create, constrained):
                if constrained:
                    self.domains.add(name)
            case op.Drop(kind, names):
                for name in names:
                    self._drop(kind, name)
            case op.Rename(kind, table, old, new):
                self._rename(kind, table, old, new)
            case (
                op.AddColumn()
                | op.DropColumn()
                | op.AlterType()
                | op.SetNotNull()
                | op.DropNotNull()
                | op.AddConstraint()
                | op.ValidateConstraint()
                | op.DropConstraint()
            ):
                self._alter(self.tables.setdefault(operation.table, Table()), operation)
            case _:
                pass

    def _create(self, made: op.CreateTable) -> None:
        columns = {column.name: column for column in made.columns}
        table = Table(columns)
        self._new_table(made.table, table)
        beside = (each for column in made.columns for each in column.constraints)
        for constraint in (*beside, *made.constraints):
            self._constrain(made.table, table, constraint)

    def _new_table(self, name: str, table: Table) -> None:
        self.tables[name] = table
        self.new.add(name)

    def _constrain(self, name: str, table: Table, constraint: Constraint) -> None:
        made_of = self.indexes.get(constraint.index)
        columns = made_of.columns if made_of else constraint.columns
        called = constraint.name or default_name(name, constraint)
        table.constraints[called] = replace(constraint, name=called, columns=columns)
        if constraint.kind is ConstraintKind.PRIMARY_KEY:
            for column in columns:
                _change(table, column, not_null=True)

    def _drop(self, kind: str, name: str) -> None:
        self.new.discard(name)
        if kind == "index":
            self.indexes.pop(name, None)
        elif self.tables.pop(name, None) is not None:
            self.indexes = {k: v for k, v in self.indexes.items() if v.table != name}

    def _rename(self, kind: str, table: str, old: str, new: str) -> None:
        if kind == "column" and (column := self.column(table, old)):
            del self.tables[table].columns[old]
            self.tables[table].columns[new] = replace(column, name=new)
        elif kind in {"table", "view"} and old in self.tables:
            self.tables[new] = self.tables.pop(old)
            if old in self.new:
                self.new.remove(old)
                self.new.add(new)

    def _alter(self, table: Table, operation: Operation) -> None:  # noqa: C901  # a case an operation
        match operation:
            case op.AddColumn(name, column):
                table.columns[column.name] = column
                self.new.add(f"{name}.{column.name}")
                for constraint in column.constraints:
                    self._constrain(name, table, constraint)
            case op.DropColumn(_, column):
                table.columns.pop(column, None)
            case op.AlterType(_, column, type_):
                if column in table.columns:
                    table.columns[column] = replace(table.columns[column], type=type_)
            case op.SetNotNull(_, column) | op.DropNotNull(_, column):
                _change(table, column, not_null=isinstance(operation, op.SetNotNull))
            case op.AddConstraint(name, constraint):
                self._constrain(name, table, constraint)
                self.new.add(f"{name}.{constraint.name or default_name(name, constraint)}")
            case op.ValidateConstraint(_, name):
                if name in table.constraints:
                    table.constraints[name] = replace(table.constraints[name], valid=True)
            case op.DropConstraint(_, name):
                table.constraints.pop(name, None)
            case _:
                pass


def _change(table: Table, column: str, *, not_null: bool) -> None:
    if column in table.columns:
        table.columns[column] = replace(table.columns[column], not_null=not_null)


def default_name(table: str, constraint: Constraint) -> str:
    """Return the name that PostgreSQL gives a constraint without one."""
    bare = table.rpartition(".")[2]
    words = {
        ConstraintKind.PRIMARY_KEY: "pkey",
        ConstraintKind.UNIQUE: "key",
        ConstraintKind.FOREIGN_KEY: "fkey",
        ConstraintKind.EXCLUDE: "excl",
        ConstraintKind.CHECK: "check",
    }
    columns = constraint.columns
    if constraint.kind is ConstraintKind.CHECK and not columns:
        # One column in it lends its name; several lend none.
        columns = constraint.mentions if len(constraint.mentions) == 1 else ()
    if constraint.kind is ConstraintKind.PRIMARY_KEY:
        columns = ()
    return "_".join((bare, *columns, words[constraint.kind]))
