"""The commands of ALTER TABLE into operations, and the columns and constraints in them."""

from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from deployer.migrations import operations as op
from deployer.migrations.expressions import (
    columns_of,
    default_kind,
    names_only,
    proven_not_null,
    relation_name,
    strings,
    type_of,
)
from deployer.migrations.operations import Column, Constraint, ConstraintKind, DefaultKind, Lock

KINDS = {
    pg.CONSTR_CHECK: ConstraintKind.CHECK,
    pg.CONSTR_FOREIGN: ConstraintKind.FOREIGN_KEY,
    pg.CONSTR_UNIQUE: ConstraintKind.UNIQUE,
    pg.CONSTR_PRIMARY: ConstraintKind.PRIMARY_KEY,
    pg.CONSTR_EXCLUSION: ConstraintKind.EXCLUDE,
}
_AE, _SUE, _SRE = Lock.ACCESS_EXCLUSIVE, Lock.SHARE_UPDATE_EXCLUSIVE, Lock.SHARE_ROW_EXCLUSIVE
# Commands without a name of their own here: lock, rewrite, and the rule that they break.
# The locks are those of AlterTableGetLockLevel in PostgreSQL's tablecmds.c.
OTHERS: dict[str, tuple[Lock, bool, str]] = {
    "AT_SetStatistics": (_SUE, False, ""),
    "AT_SetOptions": (_SUE, False, ""),
    "AT_ResetOptions": (_SUE, False, ""),
    "AT_ClusterOn": (_SUE, False, ""),
    "AT_DropCluster": (_SUE, False, ""),
    "AT_SetRelOptions": (_SUE, False, ""),
    "AT_ResetRelOptions": (_SUE, False, ""),
    "AT_SetLogged": (_AE, True, "move-table"),
    "AT_SetUnLogged": (_AE, True, "move-table"),
    "AT_SetTableSpace": (_AE, True, "move-table"),
    "AT_SetAccessMethod": (_AE, True, "move-table"),
    "AT_ReplicaIdentity": (_AE, False, "replica-identity"),
    "AT_EnableRowSecurity": (_AE, False, "row-security"),
    "AT_DisableRowSecurity": (_AE, False, "row-security"),
    "AT_ForceRowSecurity": (_AE, False, "row-security"),
    "AT_NoForceRowSecurity": (_AE, False, "row-security"),
    "AT_DropExpression": (_AE, False, "change-generated"),
    "AT_SetExpression": (_AE, True, "change-generated"),
    "AT_AddInherit": (_AE, False, ""),
    "AT_DropInherit": (_AE, False, "drop-inheritance"),
    "AT_AddIdentity": (_AE, False, "change-identity"),
    "AT_SetIdentity": (_AE, False, "change-identity"),
    "AT_DropIdentity": (_AE, False, "change-identity"),
    "AT_ChangeOwner": (_AE, False, "change-owner"),
} | {
    f"AT_{verb}Trig{which}": (_SRE, False, "switch-trigger")
    for verb in ("Enable", "Disable")
    for which in ("", "All", "User")
}


def command(table: str, cmd: pg.AlterTableCmd) -> Iterator[op.Operation]:  # noqa: C901  # a case a command
    """Yield the operation of one command; one that is not known here is taken to lock all."""
    definition: pg.Node = getattr(cmd, "def")
    match pg.AlterTableType.Name(cmd.subtype):
        case "AT_AddColumn":
            yield op.AddColumn(table, column(definition.column_def))
        case "AT_DropColumn":
            yield op.DropColumn(table, cmd.name)
        case "AT_AlterColumnType":
            yield _alter_type(table, cmd.name, definition.column_def)
        case "AT_SetNotNull":
            yield op.SetNotNull(table, cmd.name)
        case "AT_DropNotNull":
            yield op.DropNotNull(table, cmd.name)
        case "AT_ColumnDefault":
            yield op.ChangeDefault(table, cmd.name, drop=not definition.WhichOneof("node"))
        case "AT_AddConstraint":
            yield from _add_constraint(table, definition.constraint)
        case "AT_ValidateConstraint":
            yield op.ValidateConstraint(table, cmd.name)
        case "AT_DropConstraint":
            yield op.DropConstraint(table, cmd.name)
        case "AT_AttachPartition":
            yield op.AttachPartition(table, relation_name(definition.partition_cmd.name))
        case "AT_DetachPartition":
            part = definition.partition_cmd
            yield op.DetachPartition(table, relation_name(part.name), part.concurrent)
        case other:
            lock, rewrite, rule = OTHERS.get(other, (_AE, False, "unknown-alter"))
            yield op.AlterTable(table, lock, rewrite, rule)


def _alter_type(table: str, name: str, definition: pg.ColumnDef) -> op.AlterType:
    type_, _ = type_of(definition.type_name)
    using = definition.raw_default
    plain = not using.WhichOneof("node") or names_only(using, name, type_)
    return op.AlterType(table, name, type_, plain)


def _add_constraint(table: str, definition: pg.Constraint) -> Iterator[op.Operation]:
    made = constraint(definition)
    if made is None:  # NOT NULL as a table's constraint, of PostgreSQL 18
        for name in strings(definition.keys):
            if definition.skip_validation:
                yield op.AlterTable(table, _AE)
            else:
                yield op.SetNotNull(table, name)
    else:
        yield op.AddConstraint(table, made)


def column(definition: pg.ColumnDef) -> Column:
    """Return a column as it is defined, with the constraints that stand beside it."""
    type_, serial = type_of(definition.type_name)
    parts = {node.constraint.contype: node.constraint for node in definition.constraints}
    default = parts.get(pg.CONSTR_DEFAULT)
    made = (constraint(part, column=definition.colname) for part in parts.values())
    return Column(
        name=definition.colname,
        type=type_,
        not_null=pg.CONSTR_NOTNULL in parts or pg.CONSTR_PRIMARY in parts or serial,
        default=DefaultKind.NONE if default is None else default_kind(default.raw_expr),
        serial=serial,
        identity=pg.CONSTR_IDENTITY in parts,
        generated=pg.CONSTR_GENERATED in parts,
        constraints=tuple(each for each in made if each is not None),
    )


def constraint(definition: pg.Constraint, *, column: str = "") -> Constraint | None:
    """Return a constraint of a table, or None for what only stands beside a column."""
    kind = KINDS.get(definition.contype)
    if kind is None:
        return None
    keys = strings(definition.fk_attrs) or strings(definition.keys)
    return Constraint(
        kind=kind,
        name=definition.conname,
        columns=keys or ((column,) if column else ()),
        valid=not definition.skip_validation,
        parent=relation_name(definition.pktable),
        parent_columns=strings(definition.pk_attrs),
        index=definition.indexname,
        proves_not_null=proven_not_null(definition.raw_expr),
        mentions=columns_of(definition.raw_expr),
    )
