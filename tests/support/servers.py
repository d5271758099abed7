"""Fixtures: the real servers, and databases and streams on them. All plain (not async).

fixture            scope    gives
-----------------  -------  ---------------------------------------------------------------------------------
free_port          test     a function: each call gives a port on 127.0.0.1 that nobody listens on
nats_server        session  NatsServer: .url, .monitor_url, .kill(), .start(); empty; shared, so use own names
postgres_server    session  Postgres: .dsn(database, user), .ensure_database(), .drop_database()
database           module   Database: a fresh migrated one: .dsn (superuser), .api, .dispatcher, .gateway,
                            .log_writer (DSNs with that service's role), .name
fresh_database     test     a function: each call gives one more such Database (50 ms), gone after the test
mortal_postgres    session  one more Postgres: a test may .stop(), .kill() and .start() it
mortal_database    module   a fresh migrated Database there
provisioned_nats   module   a NatsServer of the module's own, with all streams and buckets of the topology;
                            a test may .kill() and .start() it (same address, same data)

PostgreSQL runs without fsync: what a killed process leaves is kept; a power cut does not matter here.
Roles belong to the whole server, databases to nobody else: two databases never see each other's rows.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from relaygram_local_stack import ports
from relaygram_local_stack.servers import NatsServer, Postgres
from tests.support.waiting import run_in_thread

_TEMPLATE = "relaygram_template"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """A migrated database and its addresses, one per role."""

    server: Postgres
    name: str

    def dsn_for(self, role: str) -> str:
        """The address that connects as this role."""
        return self.server.dsn(self.name, role)

    @property
    def dsn(self) -> str:
        """As superuser: sees everything, also what row-level security hides."""
        return self.dsn_for("postgres")

    @property
    def api(self) -> str:
        """As the role of the api."""
        return self.dsn_for("relaygram_api")

    @property
    def dispatcher(self) -> str:
        """As the role of the dispatcher."""
        return self.dsn_for("relaygram_dispatcher")

    @property
    def gateway(self) -> str:
        """As the role of the telegram-gateway."""
        return self.dsn_for("relaygram_gateway")

    @property
    def log_writer(self) -> str:
        """As the role of the log-writer."""
        return self.dsn_for("relaygram_log_writer")


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that gives a free port, another one at each call."""
    given: set[int] = set()

    def next_port() -> int:
        port = ports.free_port(frozenset(given))
        given.add(port)
        return port

    return next_port


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One empty nats-server with JetStream for the whole run."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One PostgreSQL for the whole run."""
    with Postgres(tmp_path_factory.mktemp("postgres"), volatile=True) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> str:
    """The name of a database that all migrations have run on; never connect to it, copy it."""
    from relaygram_common.database import migrate

    postgres_server.ensure_database(_TEMPLATE)
    migrate.upgrade(postgres_server.dsn(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture(scope="module")
def database(postgres_server: Postgres, migrated_template: str) -> Iterator[Database]:
    """A fresh migrated database for the module."""
    made = _copy_template(postgres_server, migrated_template)
    yield made
    postgres_server.drop_database(made.name)


@pytest.fixture
def fresh_database(postgres_server: Postgres, migrated_template: str) -> Iterator[Callable[[], Database]]:
    """A function that gives one more fresh migrated database."""
    made: list[Database] = []

    def make() -> Database:
        made.append(_copy_template(postgres_server, migrated_template))
        return made[-1]

    yield make
    for one in made:
        postgres_server.drop_database(one.name)


@pytest.fixture(scope="session")
def mortal_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One more PostgreSQL, which tests may stop and kill; whoever does so starts it again."""
    from relaygram_common.database import migrate

    with Postgres(tmp_path_factory.mktemp("mortal-postgres"), volatile=True) as server:
        server.ensure_database(_TEMPLATE)
        migrate.upgrade(server.dsn(_TEMPLATE))
        yield server


@pytest.fixture(scope="module")
def mortal_database(mortal_postgres: Postgres) -> Iterator[Database]:
    """A fresh migrated database there, for the module."""
    if mortal_postgres.pid is None:
        mortal_postgres.start()
    made = _copy_template(mortal_postgres, _TEMPLATE)
    yield made
    mortal_postgres.drop_database(made.name)


@pytest.fixture(scope="module")
def provisioned_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A nats-server of the module's own with the whole topology."""
    from relaygram_common.topology import provision

    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        run_in_thread(provision(server.url))
        yield server


def _copy_template(server: Postgres, template: str) -> Database:
    name = f"relaygram_{next(_numbers)}"
    server.ensure_database(name, template=template)
    _copy_time_limits(server, template, name)
    return Database(server, name)


def _copy_time_limits(server: Postgres, template: str, name: str) -> None:
    """What migration 0001 sets for a role in a database does not go along with a copy; without it, who hangs keeps its
    locks for ever."""
    with psycopg.connect(server.dsn(), autocommit=True, connect_timeout=10) as connection:
        settings = connection.execute(
            "select r.rolname, unnest(s.setconfig) from pg_db_role_setting s join pg_roles r on r.oid = s.setrole"
            " join pg_database d on d.oid = s.setdatabase where d.datname = %s",
            [template],
        ).fetchall()
        for role, setting in settings:
            what, _, value = setting.partition("=")
            connection.execute(
                sql.SQL("alter role {} in database {} set {} = {}").format(
                    sql.Identifier(role), sql.Identifier(name), sql.Identifier(what), sql.Literal(value)
                )
            )
