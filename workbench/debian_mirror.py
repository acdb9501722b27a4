"""A private apt that fetches Debian's packages of Odoo and leaves the system alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from . import paths
from .steps import StepFailed
from .system_packages import ensure, os_release

APT = paths.WORK / "apt"
KEYRINGS = "/usr/share/keyrings"
TITLE = "Find a Debian mirror"
#: Names under which a Debian release, and no add-on to one, stands in apt's sources.
SUITES = ("stable", "oldstable", "testing", "unstable", "sid")
#: How apt is asked for its sources; a variable that it cannot fill shows as it is.
FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(LABEL)"
CONFIGURATION = """\
Dir::Etc::SourceList "{apt}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{apt}/state";
Dir::State::status "{apt}/state/status";
Dir::Cache "{apt}/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


@dataclass(frozen=True)
class Mirror:
    """Where packages come from; without a line: the system's own apt, as it is."""

    line: str
    description: str


def debian(address: str) -> Mirror:
    """Return Debian's unstable suite on the mirror at ``address``."""
    key = f"{KEYRINGS}/debian-archive-keyring.gpg"
    return Mirror(
        f"deb [signed-by={key}] {address} unstable main\n", "the Debian mirror"
    )


def ubuntu(address: str) -> Mirror:
    """Return Ubuntu's development suite on the mirror at ``address``."""
    key = f"{KEYRINGS}/ubuntu-archive-keyring.gpg"
    line = f"deb [signed-by={key}] {address} devel main universe\n"
    return Mirror(line, "the Ubuntu mirror of this system")


def find_mirror(named: str | None) -> Mirror:
    """Choose where Odoo 19 is fetched from.

    :param named: a Debian mirror's address, or None to look into apt's own sources
    :raise StepFailed: apt is missing, or none of its sources is Debian's or Ubuntu's
    """
    if not shutil.which("apt-get"):
        raise StepFailed(
            TITLE,
            "this system has no apt-get",
            "Name an Odoo 19 source tree that you have with --odoo PATH.",
        )
    if named:
        ensure(["debian-keyring"])
        return debian(named)
    system = os_release()
    if system.get("ID") != "debian" and _succeeds("apt-cache", "show", "odoo-19"):
        return Mirror("", "the package archive of this system")
    command = ["apt-get", "indextargets", "--format", FORMAT]
    lines = _answer(command) + _answer([*command, "--no-release-info"])
    return choose(lines, system.get("ID", ""), system.get("VERSION_CODENAME", ""))


def choose(lines: Iterable[str], distribution: str, codename: str) -> Mirror:
    """Choose among the sources of a system's apt, a line of :data:`FORMAT` each.

    Origin is unknown as long as apt has no lists; other publishers may use the name of
    the release too, but rarely a folder named after the distribution.

    :raise StepFailed: none of them carries Odoo 19
    """
    fitting = []
    for line in lines:
        fields = ["" if part.startswith("$(") else part for part in line.split("|")]
        address, release, component, origin, label = fields
        known = release in (*SUITES, codename) or (
            origin == label and not release.endswith(("-security", "-backports"))
        )
        if known and component == "main" and origin.lower() in ("", distribution):
            folder = address.rstrip("/").endswith(f"/{distribution}")
            fitting.append((origin == "", not folder, address))
    mirrors = {"debian": debian, "ubuntu": ubuntu}
    if fitting and distribution in mirrors:
        return mirrors[distribution](min(fitting, key=lambda rank: rank[:2])[-1])
    raise StepFailed(
        TITLE,
        f"apt on this system ({distribution or 'unknown'}) has no source of Debian or "
        "Ubuntu that carries odoo-19",
        "Name a Debian mirror with --debian-mirror ADDRESS, or an Odoo 19 source "
        "tree that you have with --odoo PATH.",
    )


def private_apt(mirror: Mirror) -> list[str]:
    """Write the private apt's configuration; return the start of its command line."""
    if not mirror.line:
        return ["apt-get"]
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (APT / folder).mkdir(parents=True, exist_ok=True)
    (APT / "state" / "status").touch()
    (APT / "sources.list").write_text(mirror.line)
    (APT / "apt.conf").write_text(CONFIGURATION.format(apt=APT))
    return ["apt-get", "-c", str(APT / "apt.conf"), "-q"]


def _answer(command: list[str]) -> list[str]:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = answer.stdout.splitlines()
    return [line for line in lines if line and not line.startswith("cdrom:")]


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
