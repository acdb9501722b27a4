"""What is set up: Odoo, PostgreSQL, system packages, steps that say how to go on."""

import contextlib
import importlib
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from workbench import (
    cli,
    compare,
    odoo_server,
    odoo_source,
    paths,
    postgres,
    run_tests,
    steps,
    system_packages,
)
from workbench.odoo_server import OdooServer
from workbench.steps import StepFailed
from workbench.system_packages import REQUIREMENTS, Requirement


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_command_tells_its_options_and_refuses_others(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = importlib.import_module(cli.COMMANDS[name])
    with pytest.raises(SystemExit):
        cli.parse(name, command, ["--help"])
    assert "--system-postgres" in capsys.readouterr().out
    if name == "test":
        more = ["-k", "name", "-x"]
        assert cli.parse(name, command, [*more, "--no-lint"]).more == more
    else:
        with pytest.raises(SystemExit):
            cli.parse(name, command, ["--nonsense"])


def test_failed_command_tells_step_fault_end_of_log_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "LOGS", tmp_path)
    program = "print(*range(100), sep='\\n', flush=True); raise SystemExit('no luck')"
    with pytest.raises(StepFailed) as failure:
        command = [sys.executable, "-c", program]
        steps.run(command, title="Try", log="try", remedy="Try again.")
    first, *lines = str(failure.value).splitlines()
    assert first == "Failed: Try" and lines[-1] == "  How to go on: Try again."
    assert "ended with status 1" in lines[0] and "    no luck" in lines
    assert "    50" not in lines and "\n50\n" in (tmp_path / "try.log").read_text()
    with pytest.raises(StepFailed, match="no-such-program"):
        steps.run(["no-such-program"], title="Try", log="try")


@pytest.mark.parametrize("apt", ["/usr/bin/apt-get", None])
def test_without_root_or_apt_a_person_is_told_what_to_install(
    apt: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Requirement("dovecot", "keeps mail", "no-such-program")
    monkeypatch.setitem(REQUIREMENTS, "missing", missing)
    monkeypatch.setattr(os, "geteuid", lambda: 1000 if apt else 0)
    found = {"apt-get": apt}
    monkeypatch.setattr(shutil, "which", lambda name, path=None: found.get(name))
    with pytest.raises(StepFailed, match="dovecot: keeps mail") as failure:
        system_packages.ensure(["missing"])
    assert "apt-get install --yes" in str(failure.value)


def test_every_need_of_a_command_is_known() -> None:
    assert {*run_tests.NEEDS, *compare.NEEDS, "venv", "gettext"} <= set(REQUIREMENTS)


def test_mirror_is_told_from_other_publishers() -> None:
    sources = """\
http://mirror.test/debian-security/ bookworm-security
http://vendor.test/apt/ bookworm
http://mirror.test/debian/ bookworm
http://mirror.test/debian/ bookworm-updates""".splitlines()
    found = odoo_source.find_mirror(sources, "debian", "bookworm")
    assert found == "http://mirror.test/debian/"
    for lines, name in (([], "debian"), (sources, "other")):
        with pytest.raises(StepFailed, match="--odoo"):
            odoo_source.find_mirror(lines, name, "bookworm")


def _tree(root: Path, addons: str, series: str = "19.0") -> Path:
    (root / addons / "web" / "static").mkdir(parents=True)
    (root / "odoo").mkdir(exist_ok=True)
    (root / "odoo" / "release.py").write_text(f"series = {series!r}\n")
    return root


@pytest.mark.parametrize("addons", ["addons", "odoo/addons"])
def test_checkout_and_site_packages_are_both_understood(
    tmp_path: Path, addons: str
) -> None:
    root = _tree(tmp_path, addons)
    for named in (root, root / "odoo"):
        source = odoo_source.inspect(named)
        assert (source.root, source.addons_paths) == (root, (root / addons,))
        assert source.addon("web") == root / addons / "web"


def test_other_series_and_other_folders_are_refused(tmp_path: Path) -> None:
    root = _tree(tmp_path / "old", "addons", "18.0")
    with pytest.raises(StepFailed, match=r"is 18\.0, not a complete Odoo 19\.0"):
        odoo_source.inspect(root)
    with pytest.raises(StepFailed, match="is no Odoo"):
        odoo_source.inspect(tmp_path / "empty")


def test_free_port_falls_back_when_the_preferred_one_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert odoo_server.free_port(port) not in (0, port)


def test_database_is_copied_commented_and_dropped(odoo: OdooServer) -> None:
    databases = odoo.databases
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
    with pytest.raises(StepFailed, match="nowhere"):
        databases.query("SELECT * FROM nowhere")


def test_cluster_is_in_use_while_somebody_else_is_connected(odoo: OdooServer) -> None:
    with contextlib.closing(odoo.databases.connect()):
        assert odoo.databases.query(postgres.IN_USE)


def test_folder_of_the_cluster_is_its_owners_alone() -> None:
    folder = postgres.PLACE.resolve()
    assert not folder.exists() or folder.stat().st_mode & 0o077 == 0
