"""The few packages of the system that a command needs, installed when missing."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .steps import StepFailed, run, say

BROWSERS = ("google-chrome", "chromium", "chromium-browser", "google-chrome-stable")
TITLE = "Install the missing system packages"
#: Answers to the packages' questions: nobody here needs a mail daemon that runs.
ANSWERS = "postfix postfix/main_mailer_type select No configuration\n"
DOVECOT_SERVICES = ("dovecot.service", "dovecot.socket")


@dataclass(frozen=True)
class Requirement:
    """Something that the system has to provide.

    ``services`` are those that its packages would start and nobody here needs.
    """

    name: str
    packages: tuple[str, ...]
    reason: str
    present: Callable[[], bool]
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """The facts about the operating system that decide what is installed how."""

    distribution: str
    codename: str
    root: bool
    sudo: bool
    terminal: bool


def this_system() -> System:
    """Look at the machine: its distribution, and how packages can be installed."""
    release = read_os_release(Path("/etc/os-release"))
    return System(
        distribution=release.get("ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        root=os.geteuid() == 0,
        sudo=shutil.which("sudo") is not None,
        terminal=sys.stdin is not None and sys.stdin.isatty(),
    )


def read_os_release(path: Path) -> dict[str, str]:
    """Return the variables of an os-release file; none if it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def find_program(*names: str, folders: Iterable[Path] = ()) -> Path | None:
    """Return the first of the programs ``names`` in PATH or in ``folders``.

    The administrator's folders, which are not in everybody's PATH, count too.
    """
    administration = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=administration)
        if found:
            return Path(found)
        for folder in folders:
            if os.access(folder / name, os.X_OK):
                return folder / name
    return None


def postgres_folder() -> Path | None:
    """Return the folder of PostgreSQL's server programs: Debian's newest, or PATH's."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0,
        reverse=True,
    )
    found = find_program("initdb", folders=versions)
    complete = found and os.access(found.parent / "pg_ctl", os.X_OK)
    return found.parent if found and complete else None


def _dovecot() -> Requirement:
    """Return what keeps mailboxes; where it runs already, it goes on running."""
    folders = [Path("/usr/lib/dovecot"), Path("/usr/libexec/dovecot")]
    found = find_program("dovecot")
    return Requirement(
        "dovecot",
        ("dovecot-imapd", "dovecot-pop3d"),
        "keeps the mailboxes that tests of incoming mail collect",
        lambda: bool(
            find_program("dovecot")
            and find_program("imap", folders=folders)
            and find_program("pop3", folders=folders)
        ),
        services=() if found else DOVECOT_SERVICES,
    )


def _has_ensurepip() -> bool:
    check = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def requirements(system: System) -> Mapping[str, Requirement]:
    """Return what can be asked of the system, by name."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ubuntu = system.distribution == "ubuntu"
    browser = "chromium-browser" if ubuntu else "chromium"

    def needs(name: str, package: str, reason: str, *programs: str) -> Requirement:
        """Return the requirement that one of some programs is to be found."""
        present = lambda: find_program(*programs) is not None  # noqa: E731
        return Requirement(name, (package,), reason, present)

    known = [
        Requirement(
            "venv",
            (f"{python}-venv",),
            "makes the Python environment",
            _has_ensurepip,
        ),
        Requirement(
            "postgresql",
            ("postgresql",),
            "runs the private database cluster",
            lambda: bool(postgres_folder() and find_program("psql")),
        ),
        Requirement(
            "debian-keyring",
            ("debian-archive-keyring",),
            "checks the signature of Debian's package of Odoo",
            lambda: Path("/usr/share/keyrings/debian-archive-keyring.gpg").is_file(),
        ),
        _dovecot(),
        needs("psql", "postgresql-client", "talks to the database server", "psql"),
        needs("browser", browser, "shows Odoo to tours and for pictures", *BROWSERS),
        needs("openssl", "openssl", "makes certificates for SMTP tests", "openssl"),
        needs("git", "git", "tells the linters which files to check", "git"),
        needs("smtp-sink", "postfix", "carries smtp-sink for benchmarks", "smtp-sink"),
    ]
    return {requirement.name: requirement for requirement in known}


def missing(
    names: Iterable[str], known: Mapping[str, Requirement]
) -> list[Requirement]:
    """Return those of the named requirements that the system does not fulfil."""
    return [known[name] for name in names if not known[name].present()]


def install_command(wanted: Sequence[Requirement]) -> list[str]:
    """Return the apt-get line that installs the packages of ``wanted``."""
    packages = [package for requirement in wanted for package in requirement.packages]
    return ["apt-get", "install", "--yes", "--no-install-recommends", *packages]


def explain(wanted: Sequence[Requirement]) -> str:
    """Say which packages are missing and what each is for, one on a line."""
    return "\n".join(
        f"{' '.join(requirement.packages)}: {requirement.reason}"
        for requirement in wanted
    )


def ensure(names: Iterable[str]) -> None:
    """Install what is missing of the named requirements, with root's rights.

    :raise StepFailed: no way to become root, or apt-get failed
    """
    system = this_system()
    wanted = missing(names, requirements(system))
    if not wanted:
        return
    say(f"Missing system packages:\n  {explain(wanted)}".replace("\n", "\n  "))
    prefix = _become_root(system, wanted)
    _keep_from_starting(
        prefix, [service for item in wanted for service in item.services]
    )
    _install(prefix, install_command(wanted))
    still = missing([requirement.name for requirement in wanted], requirements(system))
    if still:
        raise StepFailed(
            TITLE,
            f"installed, but still not found:\n{explain(still)}",
            "Install a program that does this by hand, then start again.",
        )


def _become_root(system: System, wanted: Sequence[Requirement]) -> list[str]:
    line = " ".join(install_command(wanted))
    if not shutil.which("apt-get"):
        raise StepFailed(
            TITLE,
            f"this system has no apt-get; missing are\n{explain(wanted)}",
            "Install what provides these on your system, then start again.",
        )
    if system.root:
        return []
    if system.sudo:
        check = ["sudo", "-v"] if system.terminal else ["sudo", "-n", "true"]
        if subprocess.run(check, check=False).returncode == 0:
            return ["sudo"]
    raise StepFailed(
        TITLE,
        f"neither root nor sudo is to be had; missing are:\n{explain(wanted)}",
        f"Have an administrator run:\n{line}\nthen start again.",
    )


def _keep_from_starting(prefix: Sequence[str], services: Sequence[str]) -> None:
    """Mask services that are not installed yet, so that installing starts none."""
    if not services or not shutil.which("systemctl"):
        return
    subprocess.run([*prefix, "systemctl", "mask", *services], check=False)
    say(f"To use these services yourself: systemctl unmask {' '.join(services)}")


def _all_known(command: Sequence[str]) -> bool:
    """Tell whether apt's lists, as they are, know what the command installs."""
    simulation = [command[0], "--simulate", *command[1:]]
    return subprocess.run(simulation, capture_output=True, check=False).returncode == 0


def _install(prefix: Sequence[str], command: Sequence[str]) -> None:
    """Run apt-get, after refreshing its lists if they do not know a package.

    RUNLEVEL=1 keeps the packages' daemons from being started where systemd does not.
    """
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    by_hand = f"Run it by hand to see why it fails:\n{' '.join(command)}"
    install = functools.partial(
        run, [*quiet, *command], title=TITLE, log="apt-install", how_to_go_on=by_hand
    )
    if "postfix" in command and shutil.which("debconf-set-selections"):
        answer = [*prefix, "debconf-set-selections"]
        subprocess.run(answer, input=ANSWERS, text=True, check=False)
    if _all_known(command):
        with contextlib.suppress(StepFailed):
            install()
            return
    run(
        [*quiet, "apt-get", "update"],
        title="Refresh the system's list of packages",
        log="apt-update",
        how_to_go_on="Make `apt-get update` work on this machine, then start again.",
    )
    install()
