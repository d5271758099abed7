"""Brings a database to the newest schema. Why Alembic over psycopg: docs/adr/0003-migrations.md."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("relaygram_common.database") / "migrations"))
    url = make_url(dsn).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(dsn: str) -> None:
    """Run every migration that is still missing; blocking. `dsn` names the owner, who may create schemas and roles.

    Raises sqlalchemy.exc.OperationalError when the database can not be reached.
    """
    command.upgrade(_config(dsn), "head")


def newest_revision() -> str:
    """The revision that this version of the code expects to find."""
    head = ScriptDirectory.from_config(_config("postgresql://")).get_current_head()
    if head is None:
        raise RuntimeError("no migrations are installed")
    return head
