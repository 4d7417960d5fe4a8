"""Where a file stands: its transaction, its time-outs, and what it did before this statement.

A statement can be harmless alone and wrong after another: VALIDATE in the transaction of NOT VALID,
CREATE INDEX CONCURRENTLY under a short time-out, a drop before the new index.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deployer.migrations import operations as op
from deployer.migrations.locks import Effect
from deployer.migrations.operations import Lock, Operation
from deployer.migrations.schema import Schema, default_name


@dataclass(slots=True)
class Progress:
    """What the statements so far have left behind. `strong` are the tables that the transaction holds hard."""

    in_transaction: bool = False
    timeouts: dict[str, float] = field(default_factory=dict)
    strong: set[str] = field(default_factory=set)
    unvalidated: set[tuple[str, str]] = field(default_factory=set)
    foreign_keys: int = 0
    scanned: set[str] = field(default_factory=set)
    dropped_indexes: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    dropped_tables: set[str] = field(default_factory=set)
    locals: set[str] = field(default_factory=set)

    def follow(self, operation: Operation, schema: Schema) -> None:
        """Take in what an operation leaves behind; `schema` is as it was before."""
        match operation:
            case op.Transaction(word):
                self._transaction(word)
            case op.SetTimeout(name, milliseconds, local):
                self._time_out(name, milliseconds, local=local)
            case op.AddConstraint(table, constraint):
                name = constraint.name or default_name(table, constraint)
                if not constraint.valid and self.in_transaction:
                    self.unvalidated.add((table, name))
                self.foreign_keys += bool(constraint.parent) and not schema.is_new(table)
            case op.Drop("index", names):
                for name in names:
                    known = schema.indexes.get(name)
                    self.dropped_indexes[name] = (known.table, known.columns) if known else ("", ())
            case op.Drop("table", names):
                self.dropped_tables.update(names)
            case _:
                pass

    def hold(self, effect: Effect) -> None:
        """Remember what was rewritten, and which tables the transaction keeps from being read."""
        self.scanned |= effect.rewritten
        if self.in_transaction:
            self.strong.update(
                t for t, lock in effect.locks.items() if lock is Lock.ACCESS_EXCLUSIVE
            )

    def _transaction(self, word: str) -> None:
        if word == "savepoint":
            return
        self.in_transaction = word == "begin"
        self.strong.clear()
        self.unvalidated.clear()
        for name in self.locals:
            self.timeouts.pop(name, None)
        self.locals.clear()

    def _time_out(self, name: str, milliseconds: float | None, *, local: bool) -> None:
        if milliseconds is None:
            self.timeouts.pop(name, None)
            return
        self.timeouts[name] = milliseconds
        if local:
            self.locals.add(name)
