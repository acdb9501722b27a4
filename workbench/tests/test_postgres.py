"""The database server: names are quoted, secrets private, the server shared."""

import os
import socket
from pathlib import Path

import pytest

from workbench import locks, paths, postgres
from workbench.odoo_server import OdooServer
from workbench.postgres import Databases
from workbench.steps import StepFailed


@pytest.fixture
def databases(odoo: OdooServer) -> Databases:
    return odoo.databases


def test_free_port_falls_back_when_the_preferred_one_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert postgres.free_port(port) not in (0, port)


def test_server_is_in_use_until_the_last_user_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "LOCKS", tmp_path)
    first, second = (locks.open_lock("users", shared=True) for _number in range(2))
    os.close(first)
    assert not locks.is_unused("users")
    os.close(second)
    assert locks.is_unused("users")


def test_database_is_copied_commented_and_dropped(databases: Databases) -> None:
    name, copy = 'workbench "test"', "workbench_test_copy"
    for each in (name, copy):
        databases.drop(each)
    databases.create(name)
    databases.query("CREATE TABLE kept AS SELECT 1 AS number", name)
    databases.create(copy, template=name)
    databases.set_comment(copy, "it's new")
    assert databases.query("SELECT number FROM kept", copy) == [(1,)]
    assert databases.comment(copy) == "it's new"
    for each in (name, copy):
        databases.drop(each)
    assert databases.comment(copy) == ""


def test_refused_statement_gives_the_servers_words(databases: Databases) -> None:
    with pytest.raises(StepFailed, match="nowhere"):
        databases.query("SELECT * FROM nowhere")


def test_password_is_readable_by_its_owner_alone(databases: Databases) -> None:
    state = postgres.Cluster().state
    assert not state.exists() or state.stat().st_mode & 0o077 == 0
