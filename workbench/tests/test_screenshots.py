"""The pictures of the documentation: their list, and how they are compared."""

from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from PIL import Image

from workbench import cli, paths, screenshots
from workbench.browser import COMPANY
from workbench.demo_scenario import PEOPLE
from workbench.pictures import LOOKS, PICTURES, Picture, resolve


class Asked(dict[str, int]):
    """Notes the names of records whose ids are asked for."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self) + 1
        return self[name]


def save(path: Path, size: tuple[int, int], dots: int = 0) -> Path:
    """A white picture with so many black dots."""
    picture = Image.new("RGB", size, "white")
    for number in range(dots):
        picture.putpixel((number % size[0], number // size[0]), (0, 0, 0))
    picture.save(path)
    return path


def test_every_picture_that_is_kept_is_of_the_list_and_small() -> None:
    kept = set(paths.REPO.glob("*/static/description/screenshot_*.png"))
    assert kept and kept <= {picture.file for picture in PICTURES}
    assert not [path for path in kept if path.stat().st_size > screenshots.LARGEST]
    assert len({picture.name for picture in PICTURES}) == len(PICTURES)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_records_and_user_of_a_picture_are_demonstration_data(picture: Picture) -> None:
    data = "".join(path.read_text() for path in paths.REPO.glob("*/demo/*.xml"))
    asked = Asked()
    resolve(picture.context, asked)
    names = [*asked, COMPANY, *filter(None, [picture.record])]
    assert not [name for name in names if f'id="{name}"' not in data]
    assert picture.login in [*PEOPLE, "admin"]


def test_pictures_are_chosen_by_name_and_looked_at_in_every_way() -> None:
    with pytest.raises(ArgumentTypeError, match="simulator"):
        screenshots.picture_of("nonsense")
    assert cli.parse("screenshots", screenshots, []).pictures == PICTURES
    (simulator,) = cli.parse("screenshots", screenshots, ["simulator"]).pictures
    looks = screenshots.looks(simulator)
    assert [look.name for look in looks] == [f"simulator.{name}" for name in LOOKS]
    assert [look.phone for look in looks] == [False, True, False]
    assert [look.dark for look in looks] == [False, False, True]


def test_shrunk_picture_looks_the_same_and_is_smaller(tmp_path: Path) -> None:
    origin = tmp_path / "origin.png"
    drawn = Image.effect_mandelbrot((200, 200), (-2, -1, 1, 1), 50).convert("RGB")
    drawn.save(origin, compress_level=0)
    size = screenshots.shrink(origin, tmp_path / "small.png")
    assert size == (tmp_path / "small.png").stat().st_size < origin.stat().st_size
    assert screenshots.difference(origin, tmp_path / "small.png") == 0


def test_difference_is_the_share_of_other_pixels(tmp_path: Path) -> None:
    white, difference = save(tmp_path / "white.png", (10, 10)), screenshots.difference
    assert difference(white, save(tmp_path / "same.png", (10, 10))) == 0
    assert difference(white, save(tmp_path / "dots.png", (10, 10), 7)) == 0.07
    assert difference(white, save(tmp_path / "wide.png", (20, 10))) == 1
    assert difference(white, tmp_path / "none.png") == 1
