"""The schema, step by step: `NNNN_(pre|post)_words.sql`, forward only, each safe while the version before runs."""

from pathlib import Path
from typing import Any

from alembic import op


def run_sql_beside(migration: str) -> None:
    """Run the .sql file that lies beside a migration's .py file, as it stands (several statements, no parameters)."""
    # Straight through the driver: SQLAlchemy would prepare the text, and only one statement can be prepared at a time.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(Path(migration).with_suffix(".sql").read_text(encoding="utf-8"))
