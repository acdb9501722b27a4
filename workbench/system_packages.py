"""The few packages of the system that a command needs, installed when missing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .steps import StepFailed, run, say

TITLE = "Install the missing system packages"
BROWSERS = ("google-chrome", "chromium", "chromium-browser", "google-chrome-stable")
#: Where programs are that are not in everybody's PATH.
MORE_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/dovecot:/usr/libexec/dovecot"


@dataclass(frozen=True)
class Requirement:
    """What the system has to provide: its packages, and how it is seen to be there.

    Of each tuple in ``programs`` one has to be found. ``services`` are those that the
    packages would start, and nobody here needs.
    """

    packages: tuple[str, ...]
    reason: str
    programs: tuple[tuple[str, ...], ...] = ()
    file: str = ""
    modules: str = ""
    services: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """Whether the system has it."""
        return (
            all(find_program(*names) for names in self.programs)
            and (not self.file or Path(self.file).is_file())
            and (not self.modules or self._importable())
        )

    def _importable(self) -> bool:
        check = [sys.executable, "-c", f"import {self.modules}"]
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    def __str__(self) -> str:
        return f"{' '.join(self.packages)}: {self.reason}"


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the variables of an os-release file; none if it cannot be read."""
    with contextlib.suppress(OSError):
        pairs = (line.partition("=") for line in path.read_text().splitlines())
        return {name: value.strip("\"'") for name, _, value in pairs}
    return {}


def requirements() -> dict[str, Requirement]:
    """Return what can be asked of the system, by name."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ubuntu = os_release().get("ID") == "ubuntu"
    return {
        "venv": Requirement(
            (f"{python}-venv",),
            "makes the Python environment",
            modules="ensurepip, venv",
        ),
        "debian-keyring": Requirement(
            ("debian-archive-keyring",),
            "checks the signature of Debian's package of Odoo",
            file="/usr/share/keyrings/debian-archive-keyring.gpg",
        ),
        "dovecot": Requirement(
            ("dovecot-imapd", "dovecot-pop3d"),
            "keeps the mailboxes that tests of incoming mail collect",
            programs=(("dovecot",), ("imap",), ("pop3",)),
            services=("dovecot.service", "dovecot.socket"),
        ),
        "browser": Requirement(
            ("chromium-browser" if ubuntu else "chromium",),
            "shows Odoo to tours and for pictures",
            programs=(BROWSERS,),
        ),
        "openssl": Requirement(
            ("openssl",), "makes certificates for Odoo's own tests", (("openssl",),)
        ),
        "git": Requirement(
            ("git",), "tells the linters which files to check", (("git",),)
        ),
        "gettext": Requirement(
            ("gettext",), "merges translations", (("msgmerge",), ("msgattrib",))
        ),
    }


def find_program(*names: str) -> Path | None:
    """Return the first of the programs, in PATH or in the administrator's folders."""
    found = (shutil.which(n) or shutil.which(n, path=MORE_FOLDERS) for n in names)
    return next(map(Path, filter(None, found)), None)


def ensure(names: Iterable[str]) -> None:
    """Install what is missing of the named requirements, with root's rights.

    :raise StepFailed: no way to become root, or apt-get failed
    """
    known = requirements()
    wanted = [known[name] for name in names if not known[name].present]
    if not wanted:
        return
    packages = [package for item in wanted for package in item.packages]
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    listed = "\n".join(map(str, wanted))
    say(f"Missing system packages:\n{listed}")
    prefix = _become_root(listed, " ".join(command))
    new = [item for item in wanted if item.services and not _found_any(item)]
    _keep_from_starting(prefix, [name for item in new for name in item.services])
    _install(prefix, command)
    if still := [item for item in wanted if not item.present]:
        raise StepFailed(
            TITLE,
            "installed, but still not found:\n" + "\n".join(map(str, still)),
            "Install a program that does this by hand, then start again.",
        )


def _found_any(item: Requirement) -> bool:
    return any(find_program(*names) for names in item.programs)


def _become_root(listed: str, line: str) -> list[str]:
    """Return what to write before a command that needs root's rights."""
    if not shutil.which("apt-get"):
        raise StepFailed(
            TITLE,
            f"this system has no apt-get; missing are\n{listed}",
            "Install what provides these on your system, then start again.",
        )
    if os.geteuid() == 0:
        return []
    ask = ["-v"] if sys.stdin and sys.stdin.isatty() else ["-n", "true"]
    if shutil.which("sudo"):
        if subprocess.run(["sudo", *ask], check=False).returncode == 0:
            return ["sudo"]
    raise StepFailed(
        TITLE,
        f"neither root nor sudo is to be had; missing are:\n{listed}",
        f"Have an administrator run:\n{line}\nthen start again.",
    )


def _keep_from_starting(prefix: Sequence[str], services: Sequence[str]) -> None:
    """Mask services that are not installed yet, so that installing starts none."""
    if services and shutil.which("systemctl"):
        subprocess.run([*prefix, "systemctl", "mask", *services], check=False)
        say(f"To use these services yourself: systemctl unmask {' '.join(services)}")


def _install(prefix: Sequence[str], command: Sequence[str]) -> None:
    """Run apt-get, after refreshing its lists if they do not know a package.

    RUNLEVEL=1 keeps the packages' daemons from being started where systemd does not.
    """
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    by_hand = f"Run it by hand to see why it fails:\n{' '.join(command)}"
    simulation = [command[0], "--simulate", *command[1:]]
    known = subprocess.run(simulation, capture_output=True, check=False)
    if known.returncode == 0:
        with contextlib.suppress(StepFailed):
            run([*quiet, *command], title=TITLE, log="apt", how_to_go_on=by_hand)
            return
    update = [*quiet, "apt-get", "update"]
    run(update, title="Refresh apt's lists", log="apt-update", how_to_go_on=by_hand)
    run([*quiet, *command], title=TITLE, log="apt", how_to_go_on=by_hand)
