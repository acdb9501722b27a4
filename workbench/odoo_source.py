"""Odoo 19 itself: a source tree that the user names, or Debian's package unpacked."""

import os
import runpy
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import paths, python_env
from .locks import fingerprint
from .steps import StepFailed, run
from .system_packages import SYSTEM

SERIES = "19.0"
#: Debian's package of Odoo, and those whose static files it links to.
PACKAGES = (
    "odoo-19 libjs-jquery libjs-jquery-form libjs-underscore "
    "fonts-roboto-unhinted fonts-montserrat fonts-inconsolata fonts-ocr-b"
)
#: Where Python packages are in the tree that the packages make.
UNPACKED = Path("usr", "lib", "python3", "dist-packages")
#: Stripped from Debian's package; the web client logs an error where it is missing.
STRIPPED = UNPACKED / (
    "odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js"
)
#: Font Awesome is linked to by file names that newer versions of its package do not
#: have, so it is taken from the Python package of the old version.
FONTS = "usr/share/fonts-font-awesome/fonts"
OLD_FONTS = "xstatic/pkg/font_awesome/data/fonts"
NAME_ANOTHER = "Name an Odoo 19 source tree that you have: --odoo PATH."
#: The suite and the components that carry Odoo 19, by distribution.
SUITES = {"debian": "unstable main", "ubuntu": "devel main universe"}
#: An apt of its own, which leaves the system's alone.
APT = """\
Dir::Etc::SourceList "{apt}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{apt}/state";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


@dataclass(frozen=True)
class OdooSource:
    """An Odoo source tree: ``root`` is the folder to import ``odoo`` from."""

    root: Path
    addons_paths: tuple[Path, ...]
    fingerprint: str

    def addon(self, name: str) -> Path:
        """Return the folder of a core addon."""
        folders = (*self.addons_paths, self.root / "odoo" / "addons")
        return next(it / name for it in folders if (it / name).is_dir())


def obtain(named: str | None) -> OdooSource:
    """Return the tree that the user named, else Debian's, unpacked if need be."""
    if choice := named or os.environ.get("ODOO_SOURCE"):
        return inspect(Path(choice).expanduser().resolve())
    if not paths.ODOO_TREE.is_dir():
        _unpack_debian()
    return inspect(paths.ODOO_TREE / UNPACKED)


def inspect(path: Path) -> OdooSource:
    """Work out how an Odoo source tree is laid out, and check that it is 19.0.

    :param path: a git checkout, a site-packages folder, or the ``odoo`` package in it
    """
    root = path if (path / "odoo").is_dir() else path.parent
    release, git = root / "odoo" / "release.py", root / ".git"
    # Debian's package has a second, incomplete copy of the addons beside `odoo`.
    folders = [root / "odoo" / "addons", root / "addons"]
    whole = [folder for folder in folders if (folder / "web" / "static").is_dir()]
    found = runpy.run_path(str(release))["series"] if release.is_file() else "no Odoo"
    if found != SERIES or not whole:
        what = f"{path} is {found}, not a complete Odoo {SERIES}"
        raise StepFailed("Use Odoo's source tree", what, NAME_ANOTHER)
    commit = b""
    if git.exists():
        head = ["git", f"--git-dir={git}", "rev-parse", "HEAD"]
        commit = subprocess.run(head, capture_output=True, check=False).stdout
    mark = fingerprint(str(root), str(commit), str(release.stat().st_mtime_ns))
    return OdooSource(root, tuple(whole[:1]), mark)


def find_mirror(lines: Iterable[str], name: str, release: str) -> str:
    """Return the address of a distribution's mirror among the sources of apt.

    :param lines: the address and the release of each source

    >>> find_mirror(["http://m.test/debian/ bookworm"], "debian", "bookworm")
    'http://m.test/debian/'
    """
    releases = (release, "stable", "testing", "unstable", "sid")
    sources = [line.split() for line in lines]
    found = [source[0] for source in sources if {source[1]}.intersection(releases)]
    # other publishers use the release's name, too, but not a folder named after it
    found.sort(key=lambda address: not address.rstrip("/").endswith(f"/{name}"))
    if not found or name not in SUITES:
        what = f"apt on this system ({name or 'unknown'}) has no source that carries it"
        raise StepFailed("Find Odoo 19", what, NAME_ANOTHER)
    return found[0]


def _unpack_debian() -> None:
    """Fetch the packages by an apt of our own, and unpack them."""
    if not shutil.which("apt-get"):
        raise StepFailed("Find Odoo 19", "this system has no apt-get", NAME_ANOTHER)
    name, release = (SYSTEM.get(it, "") for it in ("ID", "VERSION_CODENAME"))
    # by --no-release-info it works before apt's first update, too
    ask = ["apt-get", "indextargets", "--no-release-info", "Component: main"]
    ask += ["Created-By: Packages", "--format", "$(REPO_URI) $(RELEASE)"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    mirror = find_mirror(answer.stdout.splitlines(), name, release)
    apt = paths.WORK / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "apt.conf").write_text(APT.format(apt=apt))
    key = f"/usr/share/keyrings/{name}-archive-keyring.gpg"
    source = f"deb [signed-by={key}] {mirror} {SUITES[name]}\n"
    (apt / "sources.list").write_text(source)
    commands = (
        "apt-get -c apt.conf update",
        f"apt-get -c apt.conf download {PACKAGES}",
        "for file in *.deb; do dpkg-deb --extract $file tree; done",
        f"mkdir -p tree/{FONTS} $(dirname tree/{STRIPPED})",
        f"touch tree/{STRIPPED}",
        f"cp -R {python_env.site_packages(paths.VENV)}/{OLD_FONTS}/. tree/{FONTS}",
    )
    run(
        ["sh", "-ec", "\n".join(commands)],
        title="Download and unpack Odoo 19 (130 MB)",
        log="odoo-download",
        remedy=f"{name}'s mirror must be reachable. If it is not: {NAME_ANOTHER}",
        cwd=apt,
    )
    (apt / "tree").rename(paths.ODOO_TREE)
    shutil.rmtree(apt)
