"""The system's packages: what is missing, and what a person is told about it."""

import os
import shutil
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from workbench import compare, run_tests, system_packages
from workbench.steps import StepFailed
from workbench.system_packages import Requirement

ABSENT = (("no-such-program-at-all",),)
MAILBOXES = Requirement(
    ("dovecot",), "keeps mail", ABSENT, services=("dovecot.socket",)
)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """A system that lacks a program, without root's rights; notes what is run."""
    monkeypatch.setattr(system_packages, "requirements", lambda: {"imap": MAILBOXES})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = {"apt-get": "/usr/bin/apt-get", "systemctl": "/usr/bin/systemctl"}
    monkeypatch.setattr(shutil, "which", lambda name, path=None: found.get(name))
    called = Mock(return_value=Mock(returncode=0))
    monkeypatch.setattr(subprocess, "run", called)
    monkeypatch.setattr(system_packages, "run", called)
    called.found = found
    return called


def test_without_root_or_sudo_a_person_is_told_what_to_run(system: Mock) -> None:
    with pytest.raises(StepFailed) as failure:
        system_packages.ensure(["imap"])
    assert "dovecot: keeps mail" in failure.value.what
    assert "apt-get install --yes" in failure.value.how_to_go_on


def test_without_apt_a_person_is_told_what_is_missing(system: Mock) -> None:
    system.found.clear()
    with pytest.raises(StepFailed, match="no apt-get"):
        system_packages.ensure(["imap"])


def test_services_of_new_packages_are_kept_from_starting(
    system: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(StepFailed, match="still not found"):
        system_packages.ensure(["imap"])
    order = [call.args[0] for call in system.call_args_list]
    installs = [line for line in order if "install" in line and "env" in line]
    assert installs[0][-1] == "dovecot"
    assert order.index(["systemctl", "mask", "dovecot.socket"]) < order.index(
        installs[0]
    )


def test_every_need_of_a_command_is_known() -> None:
    known = system_packages.requirements()
    assert {*run_tests.NEEDS, *compare.NEEDS, "venv", "gettext"} <= set(known)
    assert all(item.packages and item.reason for item in known.values())


def test_ubuntu_has_its_own_name_for_the_browser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system_packages, "os_release", lambda: {"ID": "ubuntu"})
    browser = system_packages.requirements()["browser"]
    assert browser.packages == ("chromium-browser",)


def test_os_release_is_read_with_and_without_quotes(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    release = system_packages.os_release(file)
    assert release == {"ID": "debian", "VERSION_CODENAME": "bookworm"}
    assert system_packages.os_release(tmp_path / "none") == {}
