"""PostgreSQL: the pool, named statements, migrations."""
