"""The system's packages: what is missing, and what a person is told about it."""

from pathlib import Path
from unittest.mock import patch

import pytest

from workbench import system_packages
from workbench.steps import StepFailed
from workbench.system_packages import Requirement, System

DATABASE = Requirement("db", ("postgresql",), "runs the cluster", lambda: False)
BROWSER = Requirement("browser", ("chromium",), "runs the tours", lambda: False)
PRESENT = Requirement("git", ("git",), "lists the files", lambda: True)
ROOT = System("debian", "bookworm", root=True, sudo=False, terminal=False)
USER = System("debian", "bookworm", root=False, sudo=False, terminal=False)


def test_missing_names_only_what_the_system_lacks() -> None:
    known = {item.name: item for item in (DATABASE, BROWSER, PRESENT)}
    assert system_packages.missing(["db", "git"], known) == [DATABASE]


def test_install_command_asks_no_question() -> None:
    command = system_packages.install_command([DATABASE, BROWSER])
    assert command[:3] == ["apt-get", "install", "--yes"]
    assert command[-2:] == ["postgresql", "chromium"]


def test_explain_gives_a_reason_for_each_package() -> None:
    text = system_packages.explain([DATABASE, BROWSER])
    assert text == "postgresql: runs the cluster\nchromium: runs the tours"


def test_ensure_without_root_or_sudo_tells_what_to_run() -> None:
    with (
        patch.object(system_packages, "this_system", return_value=USER),
        patch.object(system_packages, "requirements", return_value={"db": DATABASE}),
        patch("shutil.which", return_value="/usr/bin/apt-get"),
        pytest.raises(StepFailed) as failure,
    ):
        system_packages.ensure(["db"])
    assert "runs the cluster" in failure.value.what
    assert "apt-get install --yes" in failure.value.how_to_go_on
    assert "postgresql" in failure.value.how_to_go_on


def test_ensure_without_apt_names_what_is_missing() -> None:
    with (
        patch.object(system_packages, "this_system", return_value=USER),
        patch.object(system_packages, "requirements", return_value={"db": DATABASE}),
        patch("shutil.which", return_value=None),
        pytest.raises(StepFailed, match="no apt-get"),
    ):
        system_packages.ensure(["db"])


def test_every_need_of_a_command_is_known() -> None:
    from workbench import run_tests

    known = system_packages.requirements(USER)
    assert set(run_tests.NEEDS) <= set(known)
    assert all(item.packages and item.reason for item in known.values())


def test_ubuntu_has_its_own_name_for_the_browser() -> None:
    ubuntu = System("ubuntu", "noble", root=True, sudo=False, terminal=False)
    known = system_packages.requirements(ubuntu)
    assert known["browser"].packages == ("chromium-browser",)


def test_os_release_is_read_with_and_without_quotes(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n# no pair\n')
    release = system_packages.read_os_release(file)
    assert release == {"ID": "debian", "VERSION_CODENAME": "bookworm"}


def test_os_release_that_is_missing_gives_nothing(tmp_path: Path) -> None:
    assert system_packages.read_os_release(tmp_path / "none") == {}


def test_program_is_found_in_a_named_folder(tmp_path: Path) -> None:
    program = tmp_path / "initdb-of-the-test"
    program.touch(mode=0o755)
    found = system_packages.find_program(program.name, folders=[tmp_path])
    assert found == program
    assert system_packages.find_program("no-such-program-at-all") is None


def test_services_of_new_packages_are_kept_from_starting() -> None:
    mailboxes = Requirement(
        "imap", ("dovecot-imapd",), "keeps mail", lambda: False, ("dovecot.service",)
    )
    order: list[list[str]] = []
    with (
        patch.object(system_packages, "this_system", return_value=ROOT),
        patch.object(system_packages, "requirements", return_value={"imap": mailboxes}),
        patch("shutil.which", return_value="/usr/bin/found"),
        patch("subprocess.run", side_effect=lambda line, **_: order.append(line)),
        patch.object(
            system_packages, "_install", side_effect=lambda _, line: order.append(line)
        ),
        pytest.raises(StepFailed, match="still not found"),
    ):
        system_packages.ensure(["imap"])
    assert order[0] == ["systemctl", "mask", "dovecot.service"]
    assert order[1][-1] == "dovecot-imapd"
