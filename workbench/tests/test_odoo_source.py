"""Where Odoo comes from: mirrors, and source trees that a user names."""

from pathlib import Path

import pytest

from workbench import odoo_source
from workbench.debian_mirror import choose
from workbench.steps import StepFailed

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
KEY = "signed-by=/usr/share/keyrings"


@pytest.mark.parametrize("text", [FULL, BARE, BARE + FULL])
def test_debians_mirror_is_told_from_other_sources(text: str) -> None:
    assert choose(text.splitlines(), "debian", "bookworm").line == (
        f"deb [{KEY}/debian-archive-keyring.gpg] http://mirror.test/debian/ "
        "unstable main\n"
    )


def test_ubuntu_uses_its_development_suite() -> None:
    lines = ["http://archive.test/ubuntu/|noble|main|Ubuntu|Ubuntu"]
    assert choose(lines, "ubuntu", "noble").line == (
        f"deb [{KEY}/ubuntu-archive-keyring.gpg] http://archive.test/ubuntu/ "
        "devel main universe\n"
    )


@pytest.mark.parametrize("text", ["", "http://vendor.test/|stable|main|Vendor|Vendor"])
def test_no_mirror_says_how_to_name_one(text: str) -> None:
    with pytest.raises(StepFailed) as failure:
        choose(text.splitlines(), "debian", "bookworm")
    assert "--debian-mirror" in failure.value.how_to_go_on
    assert "--odoo" in failure.value.how_to_go_on


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
        source = odoo_source.inspect(named)
        assert source.root == root
        assert source.addons_paths == (root / addons,)
        assert source.addon("web") == root / addons / "web"
    with pytest.raises(FileNotFoundError):
        source.addon("nothing")


def test_other_series_is_refused(tmp_path: Path) -> None:
    root = _tree(tmp_path, "addons", "(18, 0, 0, FINAL, 0, '')")
    with pytest.raises(StepFailed, match=r"is Odoo 18\.0, not 19\.0"):
        odoo_source.inspect(root)


def test_folder_without_odoo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="holds no odoo/release.py"):
        odoo_source.inspect(tmp_path / "empty")


def test_fingerprint_changes_with_the_tree(tmp_path: Path) -> None:
    first = odoo_source.inspect(_tree(tmp_path / "a", "addons"))
    second = odoo_source.inspect(_tree(tmp_path / "b", "addons"))
    assert first.fingerprint != second.fingerprint
