"""SQL into operations, by PostgreSQL's own parser (libpg_query, through postgast).

`expressions`, this module and `commands_of_alter` are the only ones that know the parser. What it
cannot read is an InputError `sql-broken`; a body in PL/pgSQL is read too, and what that puts
together at run time is `Opaque`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from postgast import PgQueryError, parse_plpgsql, walk
from postgast import parse as parse_tree
from postgast import pg_query_pb2 as pg

from deployer.errors import InputError
from deployer.migrations import alter
from deployer.migrations import operations as op
from deployer.migrations.expressions import (
    columns_of,
    qualified,
    relation_name,
    strings,
    tables_in,
)
from deployer.migrations.operations import Operation, Statement

if TYPE_CHECKING:
    from google.protobuf.message import Message

Maker = Callable[[Any], Iterator[Operation]]


def parse(sql: str) -> tuple[Statement, ...]:
    """Return the statements of a text in their order; raise InputError `sql-broken` if it is no SQL."""
    try:
        tree = parse_tree(sql)
    except PgQueryError as error:
        raise InputError(
            "sql-broken", f"this is no SQL of PostgreSQL's: {error}", hint="mend it there"
        ) from error
    data = sql.encode()  # the parser counts bytes
    return tuple(_statement(raw, data) for raw in tree.stmts)


def _statement(raw: pg.RawStmt, data: bytes) -> Statement:
    end = raw.stmt_location + raw.stmt_len if raw.stmt_len else len(data)
    text = _bare(data[raw.stmt_location : end].decode())
    return Statement(text, tuple(_operations(raw.stmt)), tuple(_identifiers(raw.stmt)))


def _bare(text: str) -> str:
    """Return the statement without the comment lines above it."""
    lines = text.strip().splitlines()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("--")):
        del lines[0]
    return "\n".join(lines).strip()


def _operations(node: pg.Node) -> Iterator[Operation]:
    tag = node.WhichOneof("node")
    make = _MAKERS.get(tag or "")
    if make is None:
        yield op.Other(tag or "empty")
    else:
        yield from make(getattr(node, str(tag)))


def _identifiers(statement: pg.Node) -> Iterator[str]:
    """Yield the names that a statement gives to what it makes."""
    for _, node in walk(statement):
        match node:
            case pg.ColumnDef():
                yield node.colname
            case pg.Constraint():
                yield node.conname
            case pg.IndexStmt():
                yield node.idxname
            case pg.CreateStmt():
                yield node.relation.relname
            case pg.RenameStmt():
                yield node.newname
            case pg.CreateTrigStmt():
                yield node.trigname


def _alter_table(stmt: pg.AlterTableStmt) -> Iterator[Operation]:
    if stmt.objtype == pg.OBJECT_INDEX:
        yield op.Other("alter_index")
        return
    if stmt.objtype in {pg.OBJECT_VIEW, pg.OBJECT_SEQUENCE}:
        yield op.Privilege("alter-object", relation_name(stmt.relation), op.Lock.ACCESS_EXCLUSIVE)
        return
    table = relation_name(stmt.relation)
    for node in stmt.cmds:
        yield from alter.command(table, node.alter_table_cmd)


def _rename(stmt: pg.RenameStmt) -> Iterator[Operation]:
    kind = pg.ObjectType.Name(stmt.rename_type).removeprefix("OBJECT_").lower()
    kind = {"tabconstraint": "constraint", "attribute": "column"}.get(kind, kind)
    table = relation_name(stmt.relation)
    if stmt.relation_type == pg.OBJECT_VIEW or kind in {"view", "matview"}:
        kind = "view"
    old = stmt.subname or table or qualified(strings(stmt.object.list.items))
    yield op.Rename(kind, table, old, stmt.newname)


def _set_schema(stmt: pg.AlterObjectSchemaStmt) -> Iterator[Operation]:
    kind = pg.ObjectType.Name(stmt.object_type).removeprefix("OBJECT_").lower()
    yield op.SetSchema(kind, relation_name(stmt.relation), stmt.newschema)


def _create_table(stmt: pg.CreateStmt) -> Iterator[Operation]:
    columns = [node.column_def for node in stmt.table_elts if node.HasField("column_def")]
    constraints = [node.constraint for node in stmt.table_elts if node.HasField("constraint")]
    likes = [node.table_like_clause for node in stmt.table_elts]
    yield op.CreateTable(
        relation_name(stmt.relation),
        tuple(alter.column(each) for each in columns),
        tuple(found for each in constraints if (found := alter.constraint(each)) is not None),
        tuple(relation_name(like.relation) for like in likes if like.relation.relname),
        tuple(relation_name(node.range_var) for node in stmt.inh_relations),
        stmt.HasField("partbound"),
    )


def _create_table_as(stmt: pg.CreateTableAsStmt) -> Iterator[Operation]:
    name, reads = relation_name(stmt.into.rel), tables_in(stmt.query)
    if stmt.objtype == pg.OBJECT_MATVIEW:
        yield op.CreateView(name, reads, materialized=True)
    else:
        yield op.CreateTable(name, reads=reads)


_OWNED = {"trigger", "policy", "rule"}  # named as TABLE, NAME


def _drop(stmt: pg.DropStmt) -> Iterator[Operation]:
    kind = pg.ObjectType.Name(stmt.remove_type).removeprefix("OBJECT_").lower()
    kind = {"matview": "materialized view"}.get(kind, kind)
    parts = [_name_parts(node) for node in stmt.objects]
    owners = tuple(qualified(each[:-1]) for each in parts) if kind in _OWNED else ()
    names = tuple(each[-1] if kind in _OWNED else qualified(each) for each in parts)
    cascade = stmt.behavior == pg.DROP_CASCADE
    yield op.Drop(kind, names, owners, cascade, stmt.concurrent, stmt.missing_ok)


def _name_parts(node: pg.Node) -> tuple[str, ...]:
    match node.WhichOneof("node"):
        case "list":
            return strings(node.list.items)
        case "object_with_args":
            return strings(node.object_with_args.objname)
        case "type_name":
            return strings(node.type_name.names)
        case _:
            return (node.string.sval,)


def _drop_database(stmt: pg.DropdbStmt) -> Iterator[Operation]:
    yield op.Drop("database", (stmt.dbname,))


def _create_index(stmt: pg.IndexStmt) -> Iterator[Operation]:
    elements = [node.index_elem for node in stmt.index_params]
    yield op.CreateIndex(
        stmt.idxname,
        relation_name(stmt.relation),
        tuple(each.name for each in elements),
        stmt.unique,
        stmt.concurrent,
        stmt.access_method,
        stmt.if_not_exists,
    )


def _reindex(stmt: pg.ReindexStmt) -> Iterator[Operation]:
    kind = pg.ReindexObjectType.Name(stmt.kind).removeprefix("REINDEX_OBJECT_").lower()
    name = relation_name(stmt.relation) or stmt.name
    yield op.Reindex(kind, name, any(_is_on(node, "concurrently") for node in stmt.params))


def _is_on(node: pg.Node, name: str) -> bool:
    element = node.def_elem
    off = element.arg.HasField("string") and element.arg.string.sval in {"off", "false"}
    return element.defname == name and not off


def _create_trigger(stmt: pg.CreateTrigStmt) -> Iterator[Operation]:
    yield op.CreateTrigger(relation_name(stmt.relation), stmt.trigname)


def _view(stmt: pg.ViewStmt) -> Iterator[Operation]:
    yield op.CreateView(relation_name(stmt.view), tables_in(stmt.query), stmt.replace)


def _refresh(stmt: pg.RefreshMatViewStmt) -> Iterator[Operation]:
    yield op.Refresh(relation_name(stmt.relation), stmt.concurrent)


def _insert(stmt: pg.InsertStmt) -> Iterator[Operation]:
    table = relation_name(stmt.relation)
    yield op.Write("insert", table, bounded=True, reads=tables_in(stmt.select_stmt))


def _update(stmt: pg.UpdateStmt) -> Iterator[Operation]:
    overwrites = any(
        node.res_target.name in columns_of(node.res_target.val) for node in stmt.target_list
    )
    table, reads = relation_name(stmt.relation), tables_in(stmt)
    bounded = stmt.HasField("where_clause")
    yield op.Write("update", table, bounded, overwrites, tuple(n for n in reads if n != table))


def _delete(stmt: pg.DeleteStmt) -> Iterator[Operation]:
    table, reads = relation_name(stmt.relation), tables_in(stmt)
    bounded = stmt.HasField("where_clause")
    yield op.Write("delete", table, bounded, reads=tuple(name for name in reads if name != table))


def _select(stmt: pg.SelectStmt) -> Iterator[Operation]:
    # WITH may hold an UPDATE: data-modifying queries lock as the statements in them do.
    for _, node in walk(stmt):
        for kind, make in ((pg.InsertStmt, _insert), (pg.UpdateStmt, _update)):
            if isinstance(node, kind):
                yield from make(node)
        if isinstance(node, pg.DeleteStmt):
            yield from _delete(node)
    locking = op.Lock.ROW_SHARE if stmt.locking_clause else op.Lock.ACCESS_SHARE
    yield op.Read(tables_in(stmt), locking)


def _truncate(stmt: pg.TruncateStmt) -> Iterator[Operation]:
    tables = tuple(relation_name(node.range_var) for node in stmt.relations)
    yield op.Truncate(tables, stmt.behavior == pg.DROP_CASCADE)


def _lock(stmt: pg.LockStmt) -> Iterator[Operation]:
    # The parser's modes count from 1 in the order of the locks.
    tables = tuple(relation_name(node.range_var) for node in stmt.relations)
    yield op.LockTable(tables, list(op.Lock)[stmt.mode - 1])


def _vacuum(stmt: pg.VacuumStmt) -> Iterator[Operation]:
    tables = tuple(relation_name(node.vacuum_relation.relation) for node in stmt.rels)
    command = "vacuum" if stmt.is_vacuumcmd else "analyze"
    yield op.Rewrite(command, tables, any(_is_on(node, "full") for node in stmt.options))


def _cluster(stmt: pg.ClusterStmt) -> Iterator[Operation]:
    yield op.Rewrite("cluster", (relation_name(stmt.relation),), full=True)


_WORDS = {
    pg.TRANS_STMT_BEGIN: "begin",
    pg.TRANS_STMT_START: "begin",
    pg.TRANS_STMT_COMMIT: "commit",
    pg.TRANS_STMT_ROLLBACK: "rollback",
}


def _transaction(stmt: pg.TransactionStmt) -> Iterator[Operation]:
    yield op.Transaction(_WORDS.get(stmt.kind, "savepoint"))


_TIMEOUTS = {"lock_timeout", "statement_timeout"}
_UNITS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def _set(stmt: pg.VariableSetStmt) -> Iterator[Operation]:
    if stmt.name not in _TIMEOUTS:
        yield op.Other("variable_set_stmt")
    elif stmt.kind == pg.VAR_SET_VALUE:
        yield op.SetTimeout(stmt.name, _milliseconds(stmt.args[0].a_const), stmt.is_local)
    else:
        yield op.SetTimeout(stmt.name, None, stmt.is_local)


def _milliseconds(value: pg.A_Const) -> float:
    if not value.HasField("sval"):
        return float(value.ival.ival)
    text = value.sval.sval.strip()
    unit = text.lstrip("0123456789.").strip()
    return float(text.removesuffix(unit).strip() or 0) * _UNITS.get(unit, 1)


def _enum(stmt: pg.AlterEnumStmt) -> Iterator[Operation]:
    name = qualified(strings(stmt.type_name))
    yield op.EnumValue(name, bool(stmt.old_val), bool(stmt.new_val_neighbor))


def _create_domain(stmt: pg.CreateDomainStmt) -> Iterator[Operation]:
    name = qualified(strings(stmt.domainname))
    kinds = {node.constraint.contype for node in stmt.constraints}
    constrained = bool(kinds & {pg.CONSTR_CHECK, pg.CONSTR_NOTNULL})
    yield op.DomainChange(name, create=True, constrained=constrained, scans=False)


def _alter_domain(stmt: pg.AlterDomainStmt) -> Iterator[Operation]:
    name = qualified(strings(stmt.type_name))
    added = getattr(stmt, "def").constraint
    constrained = stmt.subtype in {"C", "O"}  # ADD CONSTRAINT, SET NOT NULL
    scans = stmt.subtype in {"O", "V"} or (stmt.subtype == "C" and not added.skip_validation)
    yield op.DomainChange(name, create=False, constrained=constrained, scans=scans)


def _privilege(rule: str) -> Maker:
    def make(_stmt: object) -> Iterator[Operation]:
        yield op.Privilege(rule)

    return make


def _policy(rule: str) -> Maker:
    def make(stmt: pg.CreatePolicyStmt) -> Iterator[Operation]:
        yield op.Privilege(rule, relation_name(stmt.table), op.Lock.ACCESS_EXCLUSIVE)

    return make


def _rule(stmt: pg.RuleStmt) -> Iterator[Operation]:
    yield op.Privilege("query-rule", relation_name(stmt.relation), op.Lock.ACCESS_EXCLUSIVE)


def _grant(stmt: pg.GrantStmt) -> Iterator[Operation]:
    tables = (node.range_var for node in stmt.objects if node.HasField("range_var"))
    yield op.Read(tuple(relation_name(each) for each in tables if stmt.objtype == pg.OBJECT_TABLE))
    if not stmt.is_grant:
        yield op.Privilege("rights")


def _sequence(stmt: pg.AlterSeqStmt) -> Iterator[Operation]:
    owned = any(node.def_elem.defname == "owned_by" for node in stmt.options)
    yield op.Other("sequence_owner") if owned else op.Privilege("alter-object")


def _comment(stmt: pg.CommentStmt) -> Iterator[Operation]:
    parts = strings(stmt.object.list.items)
    match pg.ObjectType.Name(stmt.objtype):
        case "OBJECT_TABLE" | "OBJECT_VIEW":
            yield op.Comment(qualified(parts))
        case "OBJECT_COLUMN" | "OBJECT_TABCONSTRAINT":
            yield op.Comment(qualified(parts[:-1]))
        case _:
            yield op.Other("comment")


def _do(stmt: pg.DoStmt) -> Iterator[Operation]:
    arguments = {node.def_elem.defname: node.def_elem.arg.string.sval for node in stmt.args}
    language = arguments.get("language", "plpgsql")
    if language != "plpgsql":
        yield op.Opaque(language)
        return
    body = arguments["as"].replace("$deployer$", "")
    function = f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $deployer${body}$deployer$"
    try:
        tree = parse_plpgsql(function)
    except PgQueryError:
        yield op.Opaque(language)
        return
    yield from _body(tree)


def _body(tree: object) -> Iterator[Operation]:
    """Yield what the statements in a PL/pgSQL body do; its tree is dicts and lists."""
    if isinstance(tree, list):
        for each in tree:
            yield from _body(each)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key == "PLpgSQL_stmt_dynexecute":
                yield op.Opaque("plpgsql")
            elif key == "PLpgSQL_stmt_execsql":
                query = value["sqlstmt"]["PLpgSQL_expr"]["query"]
                for statement in parse(query):
                    yield from statement.operations
            else:
                yield from _body(value)


def _named(kind: str, field: str) -> Maker:
    def make(stmt: Message) -> Iterator[Operation]:
        value = getattr(stmt, field)
        yield op.Create(kind, value if isinstance(value, str) else qualified(strings(value)))

    return make


def _create_sequence(stmt: pg.CreateSeqStmt) -> Iterator[Operation]:
    yield op.Create("sequence", relation_name(stmt.sequence))


_MAKERS: dict[str, Maker] = {
    "alter_table_stmt": _alter_table,
    "rename_stmt": _rename,
    "alter_object_schema_stmt": _set_schema,
    "create_stmt": _create_table,
    "create_table_as_stmt": _create_table_as,
    "drop_stmt": _drop,
    "dropdb_stmt": _drop_database,
    "index_stmt": _create_index,
    "reindex_stmt": _reindex,
    "create_trig_stmt": _create_trigger,
    "view_stmt": _view,
    "refresh_mat_view_stmt": _refresh,
    "insert_stmt": _insert,
    "update_stmt": _update,
    "delete_stmt": _delete,
    "select_stmt": _select,
    "truncate_stmt": _truncate,
    "lock_stmt": _lock,
    "vacuum_stmt": _vacuum,
    "cluster_stmt": _cluster,
    "transaction_stmt": _transaction,
    "variable_set_stmt": _set,
    "alter_enum_stmt": _enum,
    "create_domain_stmt": _create_domain,
    "alter_domain_stmt": _alter_domain,
    "create_policy_stmt": _policy("rights"),
    "alter_policy_stmt": _policy("rights"),
    "alter_function_stmt": _privilege("alter-object"),
    "alter_role_stmt": _privilege("alter-object"),
    "alter_database_set_stmt": _privilege("alter-object"),
    "alter_role_set_stmt": _privilege("alter-object"),
    "alter_system_stmt": _privilege("alter-object"),
    "alter_extension_stmt": _privilege("alter-object"),
    "alter_type_stmt": _privilege("alter-object"),
    "alter_seq_stmt": _sequence,
    "rule_stmt": _rule,
    "grant_stmt": _grant,
    "comment_stmt": _comment,
    "do_stmt": _do,
    "create_function_stmt": _named("function", "funcname"),
    "create_enum_stmt": _named("type", "type_name"),
    "create_schema_stmt": _named("schema", "schemaname"),
    "create_extension_stmt": _named("extension", "extname"),
    "create_seq_stmt": _create_sequence,
}
