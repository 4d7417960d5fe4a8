"""Which locks a statement takes, on which tables, and which of them it writes anew: pure.

What is said here is held by tests that run every statement of the corpus on PostgreSQL and read
`pg_locks` and `pg_class.relfilenode`. Only tables that were there before the file count: nobody
waits for one that nobody else can see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from deployer.migrations import operations as op
from deployer.migrations.operations import (
    Column,
    Constraint,
    ConstraintKind,
    DefaultKind,
    Lock,
    Operation,
)
from deployer.migrations.schema import Schema
from deployer.migrations.widening import keeps_the_table

_AE = Lock.ACCESS_EXCLUSIVE


@dataclass(slots=True)
class Effect:
    """The strongest lock a table, and the tables that get a new file."""

    locks: dict[str, Lock] = field(default_factory=dict)
    rewritten: set[str] = field(default_factory=set)

    @property
    def lock(self) -> Lock | None:
        """The strongest of all."""
        return max(self.locks.values(), key=lambda lock: lock.strength, default=None)

    def take(self, lock: Lock, *tables: str) -> None:
        """Lock tables, unless they are locked harder already."""
        for table in tables:
            held = self.locks.get(table)
            if held is None or held.strength < lock.strength:
                self.locks[table] = lock

    def rewrite(self, *tables: str) -> None:
        """Write tables anew, which nobody may use meanwhile."""
        self.take(_AE, *tables)
        self.rewritten.update(tables)


def effect_of(operations: Iterable[Operation], schema: Schema) -> Effect:
    """Return what the operations of one statement do to the tables that were there before."""
    effect = Effect()
    for operation in operations:
        _add(operation, schema, effect)
    effect.locks = {t: lock for t, lock in effect.locks.items() if t and not schema.is_new(t)}
    effect.rewritten = {t for t in effect.rewritten if t and not schema.is_new(t)}
    return effect


def _add(operation: Operation, schema: Schema, effect: Effect) -> None:  # noqa: C901, PLR0912, PLR0915  # a case an operation
    match operation:
        case op.AddColumn(table, column):
            _add_column(table, column, schema, effect)
        case op.AlterType(table, column):
            effect.take(_AE, table)
            if rewrites(operation, schema):
                effect.rewrite(table)
        case op.AddConstraint(table, constraint):
            _add_constraint(table, constraint, effect)
        case op.ValidateConstraint(table, name):
            effect.take(Lock.SHARE_UPDATE_EXCLUSIVE, table)
            found = schema.constraint(table, name)
            if found is not None and found.parent:
                effect.take(Lock.ROW_SHARE, found.parent)
        case op.DropConstraint(table, name):
            found = schema.constraint(table, name)
            effect.take(_AE, table, *([found.parent] if found and found.parent else []))
        case (
            op.DropColumn(table)
            | op.SetNotNull(table)
            | op.DropNotNull(table)
            | op.ChangeDefault(table)
        ):
            effect.take(_AE, table)
        case op.AlterTable(table, lock, rewrite):
            effect.take(lock, table)
            if rewrite:
                effect.rewrite(table)
        case op.AttachPartition(table, partition):
            effect.take(Lock.SHARE_UPDATE_EXCLUSIVE, table)
            effect.take(_AE, partition)
        case op.DetachPartition(table, partition, concurrently):
            effect.take(Lock.SHARE_UPDATE_EXCLUSIVE if concurrently else _AE, table)
            effect.take(_AE, partition)
        case op.Rename(kind, table):
            if kind in {"column", "table", "view", "constraint", "trigger", "policy", "rule"}:
                effect.take(_AE, table)
        case op.SetSchema(kind, name):
            effect.take(_AE, *([name] if kind in {"table", "view", "matview"} else []))
        case op.CreateTable():
            _create_table(operation, effect)
        case op.CreateView(name, reads, replace):
            effect.take(Lock.ACCESS_SHARE, *reads)
            effect.take(_AE, *([name] if replace and name in schema.tables else []))
        case op.Drop():
            _drop(operation, schema, effect)
        case op.CreateIndex(_, table, _, _, concurrently):
            effect.take(Lock.SHARE_UPDATE_EXCLUSIVE if concurrently else Lock.SHARE, table)
        case op.Reindex(kind, name, concurrently):
            lock = Lock.SHARE_UPDATE_EXCLUSIVE if concurrently else Lock.SHARE
            effect.take(lock, schema.table_of(name) if kind == "index" else name)
        case op.CreateTrigger(table):
            effect.take(Lock.SHARE_ROW_EXCLUSIVE, table)
        case op.Refresh(name, concurrently):
            effect.take(Lock.EXCLUSIVE if concurrently else _AE, name)
            effect.rewritten.update(() if concurrently else (name,))
        case op.Write(_, table, _, _, reads):
            effect.take(Lock.ACCESS_SHARE, *reads)
            effect.take(Lock.ROW_EXCLUSIVE, table)
        case op.Read(tables, lock):
            effect.take(lock, *tables)
        case op.Truncate(tables, cascade):
            effect.rewrite(*tables)
            effect.rewrite(*(c for t in tables if cascade for c in schema.children(t)))
        case op.LockTable(tables, lock):
            effect.take(lock, *tables)
        case op.Rewrite(_, tables, full):
            effect.take(Lock.SHARE_UPDATE_EXCLUSIVE, *tables)
            if full:
                effect.rewrite(*tables)
        case op.Privilege(_, table, lock):
            if lock is not None:
                effect.take(lock, table)
        case op.DomainChange(name, _, _, scans):
            if scans:
                effect.take(Lock.SHARE, *_users(schema, name))
        case op.Comment(table):
            effect.take(Lock.SHARE_UPDATE_EXCLUSIVE, table)
        case op.Opaque():
            effect.take(_AE, "(unknown)")
        case _:
            pass


def _add_column(table: str, column: Column, schema: Schema, effect: Effect) -> None:
    effect.take(_AE, table)
    volatile = column.default is DefaultKind.VOLATILE
    made = column.serial or column.identity or column.generated
    if volatile or made or column.type.name in schema.domains:
        effect.rewrite(table)
    for constraint in column.constraints:
        effect.take(Lock.SHARE_ROW_EXCLUSIVE, constraint.parent)


def _add_constraint(table: str, constraint: Constraint, effect: Effect) -> None:
    if constraint.kind is ConstraintKind.FOREIGN_KEY:
        effect.take(Lock.SHARE_ROW_EXCLUSIVE, table, constraint.parent)
    else:
        effect.take(_AE, table)


def _create_table(made: op.CreateTable, effect: Effect) -> None:
    effect.take(Lock.ACCESS_SHARE, *made.reads)
    lock = _AE if made.is_partition else Lock.SHARE_UPDATE_EXCLUSIVE
    effect.take(lock, *made.inherits)
    beside = (each for column in made.columns for each in column.constraints)
    for constraint in (*beside, *made.constraints):
        effect.take(Lock.SHARE_ROW_EXCLUSIVE, constraint.parent)


def _drop(drop: op.Drop, schema: Schema, effect: Effect) -> None:
    match drop.kind:
        case "table" | "view" | "materialized view":
            effect.take(_AE, *drop.names)
            for name in drop.names:
                effect.take(_AE, *schema.parents(name))
                effect.take(_AE, *(schema.children(name) if drop.cascade else ()))
        case "index":
            lock = Lock.SHARE_UPDATE_EXCLUSIVE if drop.concurrently else _AE
            effect.take(lock, *(schema.table_of(name) for name in drop.names))
        case "trigger" | "policy" | "rule":
            effect.take(_AE, *drop.owners)
        case "schema" if drop.cascade:
            inside = tuple(f"{name}." for name in drop.names)
            effect.take(_AE, *(name for name in schema.tables if name.startswith(inside)))
        case "type" | "domain" if drop.cascade:
            effect.take(_AE, *(t for name in drop.names for t in _users(schema, name)))
        case _:
            pass


def _users(schema: Schema, type_name: str) -> tuple[str, ...]:
    """Return the tables that have a column of a type."""
    return tuple(
        name
        for name, table in schema.tables.items()
        if any(column.type.name == type_name for column in table.columns.values())
    )


def rewrites(change: op.AlterType, schema: Schema) -> bool:
    """Whether a change of type writes the table anew; yes when the old type is not known."""
    known = schema.column(change.table, change.column)
    if not change.plain or known is None:
        return True
    return not keeps_the_table(known.type, change.type)
