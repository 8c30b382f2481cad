"""Databases for tests: a clean one for each test, on SQLite and on a real PostgreSQL, from one body."""

import itertools
import os
import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ia_modules.database.manager import DatabaseManager
from tests.pooler import Pooler, pooler_before
from tests.postgres import database_on, embedded_server
from tests.ray_cluster import RayOfTests, ray_cluster

# How long a busy machine takes to draw an example, or to try it, says nothing.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: the tests wait for processes, sockets and clocks as often as they compute."""
    return (os.cpu_count() or 1) + 1


_numbers = itertools.count(1)
_admins: dict[str, DatabaseManager] = {}
"""Of each server the one that makes and drops databases."""


@pytest.fixture(scope="session")
def embedded_postgresql() -> Generator[str]:
    """The URL of a server of our own, whatever IA_TEST_POSTGRES_URL says."""
    with embedded_server() as url, administered(url):
        yield url


@pytest.fixture(scope="session")
def postgresql_server(request: pytest.FixtureRequest) -> Generator[str]:
    """The URL of a server on which databases may be created: IA_TEST_POSTGRES_URL, or one of our own."""
    if url := os.environ.get("IA_TEST_POSTGRES_URL"):
        with administered(url):
            yield url
    else:
        yield request.getfixturevalue("embedded_postgresql")


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Generator[str]:
    """The name of a database with the current schema, to be copied."""
    with template_on(postgresql_server) as name:
        yield name


@pytest.fixture(scope="session")
def embedded_template(embedded_postgresql: str) -> Generator[str]:
    """The same on the server of our own."""
    with template_on(embedded_postgresql) as name:
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the current schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "ia.db"
    with DatabaseManager(f"sqlite:///{path}"):
        pass
    return path


@pytest.fixture(scope="session")
def ray() -> Generator[RayOfTests]:
    """A Ray cluster."""
    with ray_cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Both databases, one after the other."""
    return request.param


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A clean database with the current schema, for this test alone: a copy of a template."""
    if dialect == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ia.db")
        yield f"sqlite:///{tmp_path / 'ia.db'}"
        return
    template = request.getfixturevalue("postgresql_template")
    with postgresql_database(request.getfixturevalue("postgresql_server"), new_name(), template=template) as url:
        yield url


@pytest.fixture
def empty_database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A database without any schema, for this test alone."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with postgresql_database(request.getfixturevalue("postgresql_server"), new_name()) as url:
        yield url


@pytest.fixture
def direct_url(embedded_postgresql: str, embedded_template: str) -> Generator[str]:
    """A clean database with the current schema, on a server that trusts a pooler."""
    with postgresql_database(embedded_postgresql, new_name(), template=embedded_template) as url:
        yield url


@pytest.fixture
def pooler(direct_url: str) -> Generator[Pooler]:
    """A pooler in transaction mode before it, with three sessions."""
    with pooler_before(direct_url) as pooler:
        yield pooler


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[DatabaseManager]:
    """An initialized manager of this test's own database."""
    async with DatabaseManager(database_url) as manager:
        yield manager


def new_name() -> str:
    return f"ia_test_{os.getpid()}_{next(_numbers)}"


@contextmanager
def template_on(server: str) -> Generator[str]:
    """The name of a database with the current schema, to be copied."""
    name = new_name()
    with postgresql_database(server, name) as url:
        with DatabaseManager(url):
            pass
        yield name


@contextmanager
def administered(server: str) -> Generator[None]:
    """Keep a connection to make and drop databases with: to open one for each test would take longer than both."""
    with closing_manager(DatabaseManager(server, pool_size=1)) as admin:
        _admins[server] = admin
        try:
            yield
        finally:
            del _admins[server]


@contextmanager
def postgresql_database(server: str, name: str, *, template: str = "template0") -> Generator[str]:
    """A database on a server that is :func:`administered`, for as long as the block lasts."""
    admin = _admins[server]
    # Copying files takes a third of what writing the same through the WAL does, which is meant for busy servers.
    admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    try:
        yield database_on(server, name)
    finally:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def closing_manager(manager: DatabaseManager) -> Generator[DatabaseManager]:
    """Close it, without having brought any schema up to date."""
    try:
        yield manager
    finally:
        manager.close_sync()
