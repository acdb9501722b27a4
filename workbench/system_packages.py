"""The few packages of the system that a command needs, installed when missing."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .steps import StepFailed, run, say

#: Which distribution this is.
SYSTEM = platform.freedesktop_os_release()
TITLE = "Install the missing system packages"
BROWSERS = "google-chrome|chromium|chromium-browser|google-chrome-stable"
#: Where programs are that are not in everybody's PATH.
MORE_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/dovecot:/usr/libexec/dovecot"


@dataclass(frozen=True)
class Requirement:
    """What the system has to provide, and why; with all of the programs.

    ``services`` are those that the packages would start, and nobody here needs.
    """

    packages: str
    reason: str
    programs: str = ""
    module: str = ""
    services: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """Whether the system has it."""
        if self.module and not importlib.util.find_spec(self.module):
            return False
        return all(map(find_program, self.programs.split()))

    def __str__(self) -> str:
        return f"{self.packages}: {self.reason}"


#: What can be asked of the system, by name.
REQUIREMENTS = {
    "venv": Requirement(
        f"python3.{sys.version_info.minor}-venv",
        "makes the Python environment",
        module="ensurepip",
    ),
    "dovecot": Requirement(
        "dovecot-imapd dovecot-pop3d",
        "keeps the mailboxes that tests of incoming mail collect",
        "dovecot imap pop3",
        services=("dovecot.service", "dovecot.socket"),
    ),
    "browser": Requirement(
        "chromium-browser" if SYSTEM.get("ID") == "ubuntu" else "chromium",
        "shows Odoo to tours and for pictures",
        BROWSERS,
    ),
    "openssl": Requirement(
        "openssl", "makes certificates for Odoo's own tests", "openssl"
    ),
    "git": Requirement("git", "tells the linters which files to check", "git"),
    "gettext": Requirement("gettext", "merges translations", "msgmerge msgattrib"),
}


def find_program(names: str) -> Path | None:
    """Return the first of programs with bars between them, if there is one."""
    places = (None, MORE_FOLDERS)
    found = [shutil.which(n, path=it) for n in names.split("|") for it in places]
    return next(map(Path, filter(None, found)), None)


def ensure(names: Iterable[str]) -> None:
    """Install what is missing of the named requirements, with root's rights."""
    wanted = [REQUIREMENTS[name] for name in names if not REQUIREMENTS[name].present]
    if not wanted:
        return
    listed = "\n".join(map(str, wanted))
    say(f"Missing system packages:\n{listed}")
    packages = " ".join(item.packages for item in wanted)
    install = f"apt-get install --yes --no-install-recommends {packages}"
    root = "" if os.geteuid() == 0 else "sudo "
    if not shutil.which("apt-get") or (root and not shutil.which("sudo")):
        how = f"Have an administrator run:\n{install}\nthen start again."
        raise StepFailed(TITLE, f"missing, and no apt-get or sudo:\n{listed}", how)
    new = [item for item in wanted if not any(map(find_program, item.programs.split()))]
    services = [name for item in new for name in item.services]
    if services and shutil.which("systemctl"):
        # else installing would start them; a person may want that, and unmasks them
        subprocess.run([*root.split(), "systemctl", "mask", *services], check=False)
        say(f"To use these services yourself: systemctl unmask {' '.join(services)}")
    # by RUNLEVEL no daemon is started where there is no systemd
    quiet = f"{root}env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c"
    how = f"Run it by hand to see why it fails:\n{install}"
    command = [*quiet.split(), f"apt-get update; {install}"]
    run(command, title=TITLE, log="apt", remedy=how, stdin=None)
    if still := [str(item) for item in wanted if not item.present]:
        what = "installed, but still not found:\n" + "\n".join(still)
        raise StepFailed(TITLE, what, "Install these programs, then start again.")
