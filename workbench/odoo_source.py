"""Odoo 19 itself: a source tree that the user names, or Debian's package unpacked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import paths, stamps
from .debian_mirror import Mirror, find_mirror, private_apt
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
#: Stripped from Debian's package; the web client logs an error where it is missing.
STRIPPED = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"
NAME_ANOTHER = (
    "Name an Odoo 19 source tree that you have: --odoo PATH, or ODOO_SOURCE=PATH."
)


@dataclass(frozen=True)
class OdooSource:
    """An Odoo source tree: ``root`` is the folder to import ``odoo`` from."""

    root: Path
    addons_paths: tuple[Path, ...]
    version: str
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
    choice = named or os.environ.get("ODOO_SOURCE")
    if choice:
        return inspect(Path(choice).expanduser().resolve(), "Use the named Odoo")
    _unpack_debian(debian_mirror)
    root = paths.ODOO_TREE / "usr" / "lib" / "python3" / "dist-packages"
    return inspect(root, "Use Debian's Odoo")


def inspect(path: Path, title: str) -> OdooSource:
    """Work out how an Odoo source tree is laid out, and check that it is 19.0.

    :param path: a git checkout, a site-packages folder, or the ``odoo`` package in it
    :raise StepFailed: no Odoo there, or another series
    """
    for root in (path, path.parent, path / "usr" / "lib" / "python3" / "dist-packages"):
        release = root / "odoo" / "release.py"
        if release.is_file():
            break
    else:
        raise StepFailed(title, f"{path} holds no odoo/release.py", NAME_ANOTHER)
    version = read_version(release.read_text())
    if version != SERIES:
        raise StepFailed(title, f"{root} is Odoo {version}, not {SERIES}", NAME_ANOTHER)
    # Debian's package has a second, incomplete copy of the addons beside `odoo`.
    inside, beside = root / "odoo" / "addons", root / "addons"
    folders = [path for path in (inside, beside) if (path / "web" / "static").is_dir()]
    if not folders:
        raise StepFailed(title, f"{root} holds no addon `web`", NAME_ANOTHER)
    mark = stamps.fingerprint(str(root), release, _commit(root), _release_time(release))
    return OdooSource(root, tuple(folders[:1]), version, mark)


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


def _release_time(release: Path) -> str:
    return str(release.stat().st_mtime_ns)


def _unpack_debian(debian_mirror: str | None) -> None:
    stamp = paths.ODOO_TREE / "unpacked"
    wanted = stamps.fingerprint(LAYOUT, *PACKAGES)
    if stamps.is_current(stamp, wanted):
        return
    mirror = find_mirror(debian_mirror)
    apt, downloads = private_apt(mirror), paths.APT / "downloads"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir(parents=True)
    if mirror.suite:
        _fetch(apt, ["update"], mirror, "Refresh the list of Debian's packages")
    _fetch(apt, ["download", *PACKAGES], mirror, "Download Odoo 19 (130 MB)", downloads)
    partial = paths.ODOO_TREE.with_suffix(".partial")
    for tree in (partial, paths.ODOO_TREE):
        shutil.rmtree(tree, ignore_errors=True)
    with step("Unpack Odoo 19"):
        for package in sorted(downloads.glob("*.deb")):
            _unpack(package, partial)
    _supply_stripped(partial)
    (partial / stamp.name).write_text(wanted)
    partial.rename(paths.ODOO_TREE)
    shutil.rmtree(downloads)


def _unpack(package: Path, tree: Path) -> None:
    command = ["dpkg-deb", "--extract", str(package), str(tree)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise StepFailed(
            f"Unpack {package.name}",
            result.stderr,
            "Check that the disk has 2 GB to spare, then start again.",
        )


def _fetch(
    apt: list[str],
    arguments: list[str],
    mirror: Mirror,
    title: str,
    folder: Path | None = None,
) -> None:
    run(
        [*apt, *arguments],
        title=title,
        log=f"apt-odoo-{arguments[0]}",
        how_to_go_on=(
            f"{mirror.description} must be reachable. If it is not, name another "
            f"mirror with --debian-mirror, or: {NAME_ANOTHER}"
        ),
        cwd=folder,
    )


def _supply_stripped(tree: Path) -> None:
    addons = tree / "usr" / "lib" / "python3" / "dist-packages" / "odoo" / "addons"
    stripped = addons / STRIPPED
    if not stripped.exists():
        stripped.parent.mkdir(parents=True, exist_ok=True)
        stripped.touch()


def supply_icon_font(source: OdooSource, venv_packages: Path) -> None:
    """Put Font Awesome 4.7 where Debian's tree links to it.

    Newer versions of Debian's own package have other file names, so the font is
    taken from the PyPI package of that version in the virtual environment.

    :param venv_packages: the environment's site-packages folder
    """
    if paths.ODOO_TREE not in source.root.parents:
        return
    fonts = paths.ODOO_TREE / "usr" / "share" / "fonts-font-awesome" / "fonts"
    if not fonts.is_dir():
        with step("Put the icon font into the tree"):
            origin = venv_packages / "xstatic/pkg/font_awesome/data/fonts"
            shutil.copytree(origin, fonts)
    dangling = [
        path
        for addon in ("web", "mail")
        for path in (source.addon(addon) / "static").rglob("*")
        if path.is_symlink() and not path.exists()
    ]
    for path in dangling:
        say(f"    note: {path.name} is missing from Debian's packages")
