"""Odoo 19 itself: a source tree that the user names, or Debian's package unpacked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import locks, paths, python_env
from .debian_mirror import APT, find_mirror, private_apt
from .steps import StepFailed, run, say, step

SERIES = "19.0"
#: Debian's package of Odoo, and those whose static files it links to.
PACKAGES = (
    "odoo-19",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
    "fonts-roboto-unhinted",
    "fonts-montserrat",
    "fonts-inconsolata",
    "fonts-ocr-b",
)
#: Raised when what is made of the packages changes, so that old trees are renewed.
LAYOUT = "1"
#: Where Python packages are in the tree that the packages make.
UNPACKED = Path("usr", "lib", "python3", "dist-packages")
#: Stripped from Debian's package; the web client logs an error where it is missing.
STRIPPED = "odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js"
NAME_ANOTHER = (
    "Name an Odoo 19 source tree that you have: --odoo PATH, or ODOO_SOURCE=PATH."
)


@dataclass(frozen=True)
class OdooSource:
    """An Odoo source tree: ``root`` is the folder to import ``odoo`` from."""

    root: Path
    addons_paths: tuple[Path, ...]
    fingerprint: str

    def addon(self, name: str) -> Path:
        """Return the folder of a core addon.

        :raise FileNotFoundError: there is none of that name
        """
        for folder in (*self.addons_paths, self.root / "odoo" / "addons"):
            if (folder / name / "__manifest__.py").is_file():
                return folder / name
        raise FileNotFoundError(f"Odoo in {self.root} has no addon {name}")


def obtain(named: str | None, debian_mirror: str | None) -> OdooSource:
    """Return the tree that the user named, else Debian's, unpacked if need be.

    :param named: a path, or None for the variable ODOO_SOURCE, else Debian's package
    :param debian_mirror: address of a Debian mirror where the system's apt has none
    :raise StepFailed: no Odoo 19 there, or it cannot be fetched
    """
    if choice := named or os.environ.get("ODOO_SOURCE"):
        return inspect(Path(choice).expanduser().resolve())
    stamp, wanted = paths.ODOO_TREE / "unpacked", locks.fingerprint(LAYOUT, *PACKAGES)
    if not locks.is_current(stamp, wanted):
        _unpack_debian(debian_mirror)
        stamp.write_text(wanted)
    return inspect(paths.ODOO_TREE / UNPACKED)


def inspect(path: Path) -> OdooSource:
    """Work out how an Odoo source tree is laid out, and check that it is 19.0.

    :param path: a git checkout, a site-packages folder, or the ``odoo`` package in it
    :raise StepFailed: no Odoo there, or another series
    """
    places = [path, path.parent, path / UNPACKED]
    root = next((it for it in places if (it / "odoo/release.py").is_file()), path)
    release = root / "odoo" / "release.py"
    # Debian's package has a second, incomplete copy of the addons beside `odoo`.
    folders = [root / "odoo" / "addons", root / "addons"]
    whole = [folder for folder in folders if (folder / "web" / "static").is_dir()]
    fault = ""
    if not release.is_file():
        fault = f"{path} holds no odoo/release.py"
    elif (version := read_version(release.read_text())) != SERIES:
        fault = f"{root} is Odoo {version}, not {SERIES}"
    elif not whole:
        fault = f"{root} holds no addon `web`"
    if fault:
        raise StepFailed("Use Odoo's source tree", fault, NAME_ANOTHER)
    time = str(release.stat().st_mtime_ns)
    mark = locks.fingerprint(str(root), release, _commit(root), time)
    return OdooSource(root, tuple(whole[:1]), mark)


def read_version(release: str) -> str:
    """Return the series that the text of ``odoo/release.py`` states.

    >>> read_version("version_info = (19, 0, 0, FINAL, 0, '')")
    '19.0'
    >>> read_version("nothing")
    'unknown'
    """
    found = re.search(
        r"^version_info = \(\s*['\"]?([\w~]+)['\"]?\s*,\s*(\d+)", release, re.M
    )
    return ".".join(found.groups()) if found else "unknown"


def _commit(root: Path) -> str:
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    if not (root / ".git").exists() or not shutil.which("git"):
        return ""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip()


def _unpack_debian(debian_mirror: str | None) -> None:
    mirror = find_mirror(debian_mirror)
    apt, downloads = private_apt(mirror), APT / "downloads"
    partial = paths.ODOO_TREE.with_suffix(".partial")
    for tree in (downloads, partial, paths.ODOO_TREE):
        shutil.rmtree(tree, ignore_errors=True)
    downloads.mkdir(parents=True)
    unreachable = (
        f"{mirror.description} must be reachable. If it is not, name another mirror "
        f"with --debian-mirror, or: {NAME_ANOTHER}"
    )
    for title, arguments in (
        ("Refresh the list of Debian's packages", ["update"] if mirror.line else []),
        ("Download Odoo 19 (130 MB)", ["download", *PACKAGES]),
    ):
        if arguments:
            run(
                [*apt, *arguments],
                title=title,
                log=f"apt-odoo-{arguments[0]}",
                how_to_go_on=unreachable,
                cwd=downloads,
            )
    unpack = 'for package in *.deb; do dpkg-deb --extract "$package" "$0"; done'
    run(
        ["sh", "-ec", unpack, partial],
        title="Unpack Odoo 19",
        log="unpack",
        how_to_go_on="Check that the disk has 2 GB to spare, then start again.",
        cwd=downloads,
    )
    stripped = partial / UNPACKED / STRIPPED
    stripped.parent.mkdir(parents=True, exist_ok=True)
    stripped.touch()
    partial.rename(paths.ODOO_TREE)
    shutil.rmtree(downloads)


def supply_icon_font(source: OdooSource) -> None:
    """Put Font Awesome 4.7 where Debian's tree links to it.

    Newer versions of Debian's own package have other file names, so the font is taken
    from the package of that version in the virtual environment.
    """
    fonts = paths.ODOO_TREE / "usr" / "share" / "fonts-font-awesome" / "fonts"
    if paths.ODOO_TREE not in source.root.parents or fonts.is_dir():
        return
    with step("Put the icon font into the tree"):
        packages = python_env.site_packages(paths.VENV)
        shutil.copytree(packages / "xstatic/pkg/font_awesome/data/fonts", fonts)
    for addon in ("web", "mail"):
        for path in (source.addon(addon) / "static").rglob("*"):
            if path.is_symlink() and not path.exists():
                say(f"    note: {path.name} is missing from Debian's packages")
