"""A private apt that fetches Debian's packages of Odoo and leaves the system alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .steps import StepFailed
from .system_packages import System, ensure, this_system

KEYRINGS = Path("/usr/share/keyrings")
TITLE = "Find a Debian mirror"
#: Names under which a Debian release, and no add-on to one, stands in apt's sources.
SUITES = ("stable", "oldstable", "testing", "unstable", "sid")
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
    """Where packages come from; without a suite: the system's own apt, as it is."""

    address: str
    suite: str
    components: str
    keyring: str
    description: str


@dataclass(frozen=True)
class Source:
    """One line of ``apt-get indextargets``."""

    address: str
    release: str
    component: str
    origin: str
    label: str


def find_mirror(named: str | None) -> Mirror:
    """Choose where Odoo 19 is fetched from.

    :param named: a Debian mirror's address, or None to look into apt's own sources
    :raise StepFailed: apt is missing, or none of its sources is Debian's or Ubuntu's
    """
    system = this_system()
    if not shutil.which("apt-get"):
        raise StepFailed(
            TITLE,
            "this system has no apt-get",
            "Name an Odoo 19 source tree that you have with --odoo PATH.",
        )
    if named:
        ensure(["debian-keyring"])
        return debian(named)
    if system.distribution != "debian" and _own_apt_knows("odoo-19"):
        return Mirror("", "", "", "", "the package archive of this system")
    return choose(read_sources(_index_targets()), system)


def choose(sources: Iterable[Source], system: System) -> Mirror:
    """Choose among the sources of a system's apt.

    :raise StepFailed: none of them carries Odoo 19
    """
    named = (*SUITES, system.codename)
    fitting = [
        source
        for source in sources
        if source.component == "main"
        and (source.release in named or source.origin.lower() == source.label.lower())
        and source.origin.lower() in ("", system.distribution)
        and not source.release.endswith(("-security", "-backports"))
    ]
    # Origin is unknown as long as apt has no lists; other publishers may use the
    # name of the release too, but rarely a folder named after the distribution.
    folder = f"/{system.distribution}"
    fitting.sort(
        key=lambda source: (
            source.origin == "",
            not source.address.rstrip("/").endswith(folder),
        )
    )
    if fitting and system.distribution == "debian":
        return debian(fitting[0].address)
    if fitting and system.distribution == "ubuntu":
        keyring = KEYRINGS / "ubuntu-archive-keyring.gpg"
        description = "the Ubuntu mirror of this system"
        components = "main universe"
        return Mirror(
            fitting[0].address, "devel", components, str(keyring), description
        )
    raise StepFailed(
        TITLE,
        f"apt on this system ({system.distribution or 'unknown'}) has no source of "
        "Debian or Ubuntu that carries odoo-19",
        "Name a Debian mirror with --debian-mirror ADDRESS, or an Odoo 19 source "
        "tree that you have with --odoo PATH.",
    )


def debian(address: str) -> Mirror:
    """Return Debian's unstable suite on the mirror at ``address``."""
    keyring = KEYRINGS / "debian-archive-keyring.gpg"
    return Mirror(address, "unstable", "main", str(keyring), "the Debian mirror")


def read_sources(text: str) -> list[Source]:
    """Read the output of ``apt-get indextargets`` as asked for by this module.

    A field that apt could not fill still shows as its variable; it becomes empty.

    >>> read_sources("http://mirror/debian/|bookworm|main|$(ORIGIN)|$(LABEL)")
    [Source(address='http://mirror/debian/', release='bookworm', component='main', \
origin='', label='')]
    """
    found = []
    for line in dict.fromkeys(text.splitlines()):
        fields = ["" if part.startswith("$(") else part for part in line.split("|")]
        if len(fields) == 5 and fields[0] and not fields[0].startswith("cdrom:"):
            found.append(Source(*fields))
    return found


def private_apt(mirror: Mirror) -> list[str]:
    """Write the private apt's configuration; return the start of its command line."""
    if not mirror.suite:
        return ["apt-get"]
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (paths.APT / folder).mkdir(parents=True, exist_ok=True)
    (paths.APT / "state" / "status").touch()
    (paths.APT / "sources.list").write_text(source_line(mirror))
    configuration = paths.APT / "apt.conf"
    configuration.write_text(CONFIGURATION.format(apt=paths.APT))
    return ["apt-get", "-c", str(configuration), "-q"]


def source_line(mirror: Mirror) -> str:
    """Return the line of sources.list for a mirror."""
    return (
        f"deb [signed-by={mirror.keyring}] "
        f"{mirror.address} {mirror.suite} {mirror.components}\n"
    )


def _index_targets() -> str:
    """Ask apt for its sources: with their origin where known, and without."""
    form = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(LABEL)"
    command = ["apt-get", "indextargets", "--format", form]
    answers = [
        subprocess.run(line, capture_output=True, text=True, check=False).stdout
        for line in (command, [*command, "--no-release-info"])
    ]
    return "\n".join(answers)


def _own_apt_knows(package: str) -> bool:
    command = ["apt-cache", "show", "--no-all-versions", package]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
