"""The deployer's side of schema changes: the lint, the gate, and when a phase may be applied.

`lint` reads SQL and says of every statement what it locks, what it rewrites, and what to write
instead. `gate` proves a service's revisions on a real PostgreSQL. The helpers that revisions are
written with are `platform_kit.migrations`.
"""
