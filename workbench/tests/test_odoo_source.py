"""Where Odoo comes from: mirrors, and source trees that a user names."""

from pathlib import Path

import pytest

from workbench import debian_mirror, odoo_source
from workbench.debian_mirror import Mirror, choose, read_sources
from workbench.steps import StepFailed
from workbench.system_packages import System

DEBIAN = System("debian", "bookworm", root=True, sudo=False, terminal=False)
UBUNTU = System("ubuntu", "noble", root=True, sudo=False, terminal=False)
FULL = """\
http://mirror.test/debian-security/|bookworm-security|main|Debian|Debian-Security
http://vendor.test/apt/|bookworm|main|Vendor|Vendor
http://mirror.test/debian/|bookworm|main|Debian|Debian
http://mirror.test/debian/|bookworm-updates|main|Debian|Debian
"""
#: As apt answers before its first update.
BARE = """\
http://vendor.test/apt/|bookworm|main|$(ORIGIN)|$(LABEL)
http://mirror.test/debian-security/|bookworm-security|main|$(ORIGIN)|$(LABEL)
http://mirror.test/debian/|bookworm|main|$(ORIGIN)|$(LABEL)
"""


@pytest.mark.parametrize("text", [FULL, BARE, BARE + FULL])
def test_debians_mirror_is_told_from_other_sources(text: str) -> None:
    mirror = choose(read_sources(text), DEBIAN)
    assert mirror.address == "http://mirror.test/debian/"
    assert (mirror.suite, mirror.components) == ("unstable", "main")


def test_ubuntu_uses_its_development_suite() -> None:
    text = "http://archive.test/ubuntu/|noble|main|Ubuntu|Ubuntu"
    mirror = choose(read_sources(text), UBUNTU)
    assert (mirror.suite, mirror.components) == ("devel", "main universe")


@pytest.mark.parametrize("text", ["", "http://vendor.test/|stable|main|Vendor|Vendor"])
def test_no_mirror_says_how_to_name_one(text: str) -> None:
    with pytest.raises(StepFailed) as failure:
        choose(read_sources(text), DEBIAN)
    assert "--debian-mirror" in failure.value.how_to_go_on
    assert "--odoo" in failure.value.how_to_go_on


def test_source_line_is_signed_by_the_keyring() -> None:
    mirror = Mirror("http://mirror.test/debian/", "unstable", "main", "/ring.gpg", "")
    assert debian_mirror.source_line(mirror) == (
        "deb [signed-by=/ring.gpg] http://mirror.test/debian/ unstable main\n"
    )


def _tree(root: Path, addons: str, release: str = "(19, 0, 0, FINAL, 0, '')") -> Path:
    (root / addons / "web" / "static").mkdir(parents=True)
    (root / addons / "web" / "__manifest__.py").touch()
    (root / "odoo").mkdir(exist_ok=True)
    (root / "odoo" / "release.py").write_text(f"version_info = {release}\n")
    return root


@pytest.mark.parametrize("addons", ["addons", "odoo/addons"])
def test_checkout_and_site_packages_are_both_understood(
    tmp_path: Path, addons: str
) -> None:
    root = _tree(tmp_path, addons)
    for named in (root, root / "odoo"):
        source = odoo_source.inspect(named, "test")
        assert source.root == root
        assert source.addons_paths == (root / addons,)
        assert source.addon("web") == root / addons / "web"
    with pytest.raises(FileNotFoundError):
        source.addon("nothing")


def test_other_series_is_refused(tmp_path: Path) -> None:
    root = _tree(tmp_path, "addons", "(18, 0, 0, FINAL, 0, '')")
    with pytest.raises(StepFailed, match=r"is Odoo 18\.0, not 19\.0"):
        odoo_source.inspect(root, "test")


def test_folder_without_odoo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="holds no odoo/release.py"):
        odoo_source.inspect(tmp_path / "empty", "test")


def test_fingerprint_changes_with_the_tree(tmp_path: Path) -> None:
    first = odoo_source.inspect(_tree(tmp_path / "a", "addons"), "test")
    second = odoo_source.inspect(_tree(tmp_path / "b", "addons"), "test")
    assert first.fingerprint != second.fingerprint
