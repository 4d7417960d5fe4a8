"""The rules that need more than the statement: its tables, its transaction, the rest of its file.

`broken` yields the names of the rules that a statement breaks, the gravest first. `excused` says
which of another linter's findings do not count, and why they do not: each is a case that was measured.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployer.migrations import operations as op
from deployer.migrations.locks import Effect, rewrites
from deployer.migrations.operations import (
    Column,
    Constraint,
    ConstraintKind,
    DefaultKind,
    Lock,
    Operation,
    Statement,
)
from deployer.migrations.progress import Progress
from deployer.migrations.schema import Schema

# strong_migrations starts here, squawk's documentation at a tenth; the kit's guard at 50 ms.
LONGEST_LOCK_TIMEOUT = 10_000.0
# A time-out that a snapshot of a report outlasts. An hour is a limit, not a race.
SHORT_FOR_CONCURRENTLY = 600_000.0
GUARDED = 1_000.0
WIDE = 3
LONGEST_NAME = 63
SMALL = {"int2", "int4"}
PADDED = {"bpchar", "timestamp"}


def broken(
    statement: Statement, schema: Schema, progress: Progress, rest: tuple[Statement, ...]
) -> Iterator[str]:
    """Yield the rules that the statement's operations break; `rest` is what follows in the file."""
    for operation in statement.operations:
        yield from _by_place(operation, schema, progress, rest)
        yield from _by_operation(operation, schema, progress)
        yield from _by_style(operation)
    if any(len(name.encode()) > LONGEST_NAME for name in statement.identifiers):
        yield "identifier-too-long"


def broken_together(effect: Effect, statement: Statement, progress: Progress) -> Iterator[str]:
    """Yield the rules that a statement breaks by what it locks, with what was locked before."""
    strong = {t for t, lock in effect.locks.items() if lock is Lock.ACCESS_EXCLUSIVE}
    timeout = progress.timeouts.get("lock_timeout", GUARDED)
    waits = effect.lock is not None and effect.lock.stops_writers
    if waits and (timeout == 0 or timeout > LONGEST_LOCK_TIMEOUT):
        yield "no-timeout"
    if progress.in_transaction and progress.strong:
        # A table and what goes with it (its index, its parent in the same statement) are one.
        if strong - progress.strong:
            yield "several-tables"
        writes = [each for each in statement.operations if isinstance(each, op.Write)]
        if any(each.kind != "insert" and each.table in effect.locks for each in writes):
            yield "backfill-with-ddl"


def _by_place(  # noqa: C901, PLR0912  # a case an operation
    operation: Operation, schema: Schema, progress: Progress, rest: tuple[Statement, ...]
) -> Iterator[str]:
    """Yield what is wrong with an operation because of where it stands."""
    if _is_concurrent(operation):
        if progress.in_transaction:
            yield "concurrently-in-transaction"
        if any(0 < limit < SHORT_FOR_CONCURRENTLY for limit in progress.timeouts.values()):
            yield "concurrently-under-timeout"
    elif not progress.in_transaction and _can_not_repeat(operation, schema):
        following = (each for statement in rest for each in statement.operations)
        if any(_is_concurrent(each) for each in following):
            yield "half-applied"
    match operation:
        case op.ValidateConstraint(table, name):
            if (table, name) in progress.unvalidated and not schema.is_new(table):
                yield "validate-with-add"
        case op.AddConstraint(table, constraint):
            if constraint.parent and not schema.is_new(table) and progress.foreign_keys:
                yield "several-foreign-keys"
        case op.Drop("index", names):
            if any(_comes_back(schema.indexes.get(name), rest) for name in names):
                yield "index-gap"
        case op.Transaction(word):
            if ((word == "begin") is progress.in_transaction and word != "savepoint") or (
                word == "begin" and not _ends(rest)
            ):
                yield "transaction-unbalanced"
        case op.CreateTable(table):
            if table in progress.dropped_tables:
                yield "force-create"
        case op.Rename("table", table, _, new):
            if new in progress.dropped_tables and schema.is_new(table):
                yield "copy-and-move"
        case _:
            pass


def _is_concurrent(operation: Operation) -> bool:
    return bool(getattr(operation, "concurrently", False)) and not isinstance(operation, op.Refresh)


def _can_not_repeat(operation: Operation, schema: Schema) -> bool:
    """Whether running the operation a second time fails because the first one did its work."""
    match operation:
        case op.AddColumn(table) | op.AddConstraint(table) | op.DropColumn(table):
            return not schema.is_new(table)
        case op.Rename("column" | "table"):
            return True
        case _:
            return False


def _comes_back(index: object, rest: tuple[Statement, ...]) -> bool:
    """Whether a dropped index's table gets another with the same first column later in the file."""
    if index is None:
        return False
    made = (each for statement in rest for each in statement.operations)
    return any(
        isinstance(each, op.CreateIndex)
        and each.table == getattr(index, "table", "")
        and each.columns[:1] == getattr(index, "columns", ())[:1]
        for each in made
    )


def _ends(rest: tuple[Statement, ...]) -> bool:
    """Whether a transaction that begins here is ended in the file."""
    words = {each.word for s in rest for each in s.operations if isinstance(each, op.Transaction)}
    return bool(words & {"commit", "rollback"})


def _by_operation(  # noqa: C901, PLR0912  # a case an operation
    operation: Operation, schema: Schema, progress: Progress
) -> Iterator[str]:
    """Yield what is wrong with an operation on a table that was there before."""
    if any(schema.is_new(table) for table in _tables(operation)):
        return
    match operation:
        case op.AddColumn(_, column):
            yield from _added(column, schema)
        case op.AlterType():
            yield from _changed_type(operation, schema, progress)
        case op.SetNotNull(table, column):
            known = schema.column(table, column)
            if not schema.proven_not_null(table, column) and not (known and known.not_null):
                yield "set-not-null"
        case op.AddConstraint(table, constraint):
            yield from _constrained(table, constraint, schema)
        case op.DropConstraint(table, name):
            if not _is_spare(table, name, schema):
                yield "drop-constraint"
        case op.AttachPartition(_, partition):
            checks = [each for each in schema.constraints(partition) if each.valid]
            if not schema.is_new(partition) and not any(
                each.kind is ConstraintKind.CHECK for each in checks
            ):
                yield "attach-partition"
        case op.CreateIndex(_, _, _, _, concurrently, _, if_not_exists):
            if not concurrently:
                yield "create-index"
            elif if_not_exists:
                yield "concurrently-if-not-exists"
        case op.Drop("index", _, _, _, concurrently):
            if not concurrently:
                yield "drop-index"
        case op.Drop("trigger"):
            yield "drop-trigger"
        case op.Drop("materialized view" | "rule"):
            yield "drop-object"
        case op.CreateTrigger():
            if progress.timeouts.get("lock_timeout", 0) > GUARDED or not progress.timeouts.get(
                "lock_timeout"
            ):
                yield "create-trigger"
        case op.Write(kind, _, bounded, overwrites):
            if kind != "insert" and not bounded:
                yield "write-all-rows"
            elif overwrites:
                yield "overwrite"
        case _:
            yield from _always(operation, schema)


def _always(operation: Operation, schema: Schema) -> Iterator[str]:  # noqa: C901, PLR0912  # a case an operation
    """Yield the rule of an operation that is wrong wherever it stands."""
    match operation:
        case op.AlterTable(_, _, _, rule):
            yield from [_RULE_OF_ALTER.get(rule, rule)] if rule else []
        case op.CreateTable(_, columns, constraints):
            beside = [each for column in columns for each in column.constraints]
            parents = {each.parent for each in (*beside, *constraints) if each.parent}
            if any(not schema.is_new(parent) for parent in parents - {operation.table}):
                yield "create-table-references"
        case op.Reindex(_, _, concurrently):
            yield from [] if concurrently else ["reindex"]
        case op.Refresh(_, concurrently):
            yield from [] if concurrently else ["refresh-view"]
        case op.LockTable():
            yield "lock-table"
        case op.Truncate():
            yield "truncate"
        case op.Rewrite(_, _, full):
            yield from ["rewrite-table"] if full else []
        case op.DomainChange(_, create, constrained, scans):
            yield from ["domain-constraint"] if scans or (create and constrained) else []
        case op.EnumValue(_, rename):
            yield from ["rename-object"] if rename else []
        case op.Opaque():
            yield "opaque"
        case op.Privilege(rule):
            yield rule
        case op.SetSchema():
            yield "move-schema"
        case op.Rename("schema"):
            yield "move-schema"
        case op.Rename("table" | "view"):
            yield "rename-table"
        case _:
            pass


_RULE_OF_ALTER = {
    "replica-identity": "rights",
    "row-security": "rights",
    "change-generated": "alter-object",
    "change-identity": "alter-object",
    "drop-inheritance": "alter-object",
    "change-owner": "rights",
    "unknown-alter": "opaque",
}


def _tables(operation: Operation) -> tuple[str, ...]:
    """Return the tables that an operation is about, to see whether they are new."""
    match operation:
        case op.Drop(kind, names, owners):
            return owners if kind in {"trigger", "policy", "rule"} else names
        case op.Refresh(name) | op.SetSchema(_, name) | op.Reindex(_, name):
            return (name,)
        case op.LockTable(tables) | op.Truncate(tables) | op.Rewrite(_, tables):
            return tables
        case op.CreateTable() | op.CreateView():
            return ()
        case _:
            return (getattr(operation, "table", ""),)


def _added(column: Column, schema: Schema) -> Iterator[str]:
    if column.serial or column.identity:
        yield "add-column-serial"
    if column.generated:
        yield "add-column-generated"
    if column.default is DefaultKind.VOLATILE:
        yield "add-column-volatile-default"
    if column.not_null and column.default is DefaultKind.NONE and not _filled(column):
        yield "add-column-required"
    if column.type.name in schema.domains:
        yield "add-column-domain"
    for constraint in column.constraints:
        yield from {
            ConstraintKind.UNIQUE: ("add-column-unique",),
            ConstraintKind.PRIMARY_KEY: ("add-column-unique",),
            ConstraintKind.FOREIGN_KEY: ("add-column-references",),
            ConstraintKind.CHECK: ("add-column-check",),
        }.get(constraint.kind, ())


def _filled(column: Column) -> bool:
    return column.serial or column.identity or column.generated


def _changed_type(change: op.AlterType, schema: Schema, progress: Progress) -> Iterator[str]:
    if rewrites(change, schema):
        yield "repeated-scans" if change.table in progress.scanned else "change-type"
    elif any(change.column in each.mentions for each in schema.constraints(change.table)):
        yield "change-type-checked"


def _constrained(table: str, constraint: Constraint, schema: Schema) -> Iterator[str]:
    match constraint.kind:
        case ConstraintKind.CHECK if constraint.valid:
            yield "add-check"
        case ConstraintKind.FOREIGN_KEY:
            if constraint.valid:
                yield "add-foreign-key"
            yield from _looked_up(table, constraint, schema)
        case ConstraintKind.UNIQUE if not constraint.index:
            yield "add-unique"
        case ConstraintKind.PRIMARY_KEY:
            if not constraint.index or _nullable(table, constraint, schema):
                yield "add-primary-key"
        case ConstraintKind.EXCLUDE:
            yield "add-exclude"
        case _:
            pass


def _looked_up(table: str, constraint: Constraint, schema: Schema) -> Iterator[str]:
    """Yield what makes a foreign key slow; only of a table that is known."""
    known = schema.column(table, constraint.columns[0]) if constraint.columns else None
    if known is None:
        return
    target = constraint.parent_columns or _key_of(constraint.parent, schema)
    other = schema.column(constraint.parent, target[0]) if target else None
    if other is not None and other.type.name != known.type.name:
        yield "foreign-key-types"
    if not schema.indexed(table, constraint.columns):
        yield "foreign-key-unindexed"


def _key_of(table: str, schema: Schema) -> tuple[str, ...]:
    keys = (e.columns for e in schema.constraints(table) if e.kind is ConstraintKind.PRIMARY_KEY)
    return next(keys, ())


def _nullable(table: str, constraint: Constraint, schema: Schema) -> bool:
    """Whether a column of the index is known to take NULL, so that every row has to be read."""
    index = schema.indexes.get(constraint.index)
    columns = [schema.column(table, name) for name in index.columns] if index else []
    return any(
        column is not None
        and not column.not_null
        and not schema.proven_not_null(table, column.name)
        for column in columns
    )


def _is_spare(table: str, name: str, schema: Schema) -> bool:
    """Whether a constraint holds nothing that is not held without it.

    It was made in this file, or it is the check that proved a NOT NULL that is set by now.
    """
    if schema.is_new(f"{table}.{name}"):
        return True
    known = schema.constraint(table, name)
    proven = known.proves_not_null if known and known.kind is ConstraintKind.CHECK else ()
    columns = [schema.column(table, column) for column in proven]
    mentions = known.mentions if known else ()
    return (
        bool(columns) and mentions == proven and all(c is not None and c.not_null for c in columns)
    )


def _by_style(operation: Operation) -> Iterator[str]:
    """Yield what costs later, also on a new table."""
    match operation:
        case op.CreateTable(_, columns, constraints):
            keys = {
                name
                for each in constraints
                if each.kind is ConstraintKind.PRIMARY_KEY and len(each.columns) == 1
                for name in each.columns
            }
            for column in columns:
                yield from _built(column, is_key=column.name in keys)
        case op.AddColumn(_, column):
            yield from _built(column, is_key=False)
        case op.CreateIndex(_, _, columns, unique, _, method):
            if method == "hash":
                yield "hash-index"
            elif len(columns) > WIDE and not unique:
                yield "wide-index"
        case _:
            pass


def _built(column: Column, *, is_key: bool) -> Iterator[str]:
    is_key |= any(each.kind is ConstraintKind.PRIMARY_KEY for each in column.constraints)
    if column.type.name == "json":
        yield "json-column"
    if column.type.name in PADDED:
        yield "short-type"
    if column.type.name in SMALL and (column.serial or column.identity or is_key):
        yield "small-key"


def excused(operation: Operation, schema: Schema, rest: tuple[Statement, ...]) -> set[str]:
    """Return the rules that an operation does not break although it looks like it."""
    match operation:
        case op.Drop(_, names) if all(schema.is_new(name) for name in names):
            return {"drop-table", "drop-object", "drop-trigger", "drop-container"}
        case op.ChangeDefault(table, column):
            new = schema.is_new(table) or schema.is_new(f"{table}.{column}")
            return {"change-default"} if new else set()
        case op.Rename("table", table, old, _):
            return {"rename-table"} if schema.is_new(table) or _keeps_name(old, rest) else set()
        case op.CreateView(name):
            return set() if name in schema.tables else {"alter-object"}
        case _ if any(schema.is_new(table) for table in _tables(operation)):
            return ON_NEW_TABLES
        case _:
            return set()


ON_NEW_TABLES = {
    *("drop-column", "drop-not-null", "rename-column", "rename-object", "add-column-required"),
    *("rights", "switch-trigger", "move-schema", "reindex", "detach-partition", "alter-object"),
}


def _keeps_name(old: str, rest: tuple[Statement, ...]) -> bool:
    """Whether a view takes over a table's old name before the transaction ends."""
    for statement in rest:
        for operation in statement.operations:
            if isinstance(operation, op.CreateView) and operation.name == old:
                return True
            if isinstance(operation, op.Transaction):
                return False
    return False
