"""The pictures of the documentation: their list, and how they are compared."""

from pathlib import Path

import pytest
from PIL import Image

from workbench import demo_scenario, images, paths, screenshots
from workbench.screenshots import FOLDER, LOOKS, PICTURES, PREFIX, Picture, Ref
from workbench.steps import StepFailed


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


def test_pictures_have_names_of_their_own() -> None:
    names = [picture.name for picture in PICTURES]
    assert len(set(names)) == len(names)


def test_every_picture_that_is_kept_is_of_the_list() -> None:
    kept = {path.name for path in FOLDER.glob(f"{PREFIX}*.png")}
    assert kept <= {screenshots.file_of(picture).name for picture in PICTURES}


def test_every_picture_that_is_kept_is_small() -> None:
    sizes = {path: path.stat().st_size for path in FOLDER.glob(f"{PREFIX}*.png")}
    assert sizes
    assert not {path for path, size in sizes.items() if size > screenshots.LARGEST}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_records_and_user_of_a_picture_are_demonstration_data(picture: Picture) -> None:
    data = "".join(path.read_text() for path in (paths.ADDON / "demo").glob("*.xml"))
    asked = Asked()
    picture.shot(asked)
    assert not [name for name in asked if f'id="{name}"' not in data]
    logins = [person.login for person in demo_scenario.PEOPLE]
    assert picture.login in [*logins, screenshots.ADMINISTRATOR]


def test_shot_has_the_ids_of_what_it_refers_to() -> None:
    context = {"one": Ref("a"), "named": Ref("a", "model"), "many": [Ref("b")], "x": 1}
    picture = Picture("p", "module.action", "form", record="b", context=context)
    shot = picture.shot({"a": 3, "b": 4, "company_alder": 5})
    assert (shot.res_id, shot.company_ids) == (4, [5])
    assert shot.context == {"one": 3, "named": "model,3", "many": [4], "x": 1}


def test_page_is_looked_at_wide_on_a_phone_and_in_the_dark() -> None:
    shot = Picture("p", "module.action", "form").shot({"company_alder": 1})
    looks = screenshots.looks(shot)
    assert [look.name for look in looks] == ["p.wide", "p.phone", "p.dark"]
    assert [look.phone for look in looks] == [False, True, False]
    assert [look.dark for look in looks] == [False, False, True]
    assert all(look.whole for look in looks)
    assert len(LOOKS) == len(looks)


def test_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(StepFailed, match="simulator"):
        screenshots.chosen(["nonsense"])
    assert screenshots.chosen([]) == list(PICTURES)
    assert [p.name for p in screenshots.chosen(["simulator"])] == ["simulator"]


def test_shrunk_picture_looks_the_same_and_is_smaller(tmp_path: Path) -> None:
    origin = tmp_path / "origin.png"
    Image.effect_mandelbrot((200, 200), (-2, -1, 1, 1), 50).convert("RGB").save(
        origin, compress_level=0
    )
    size = images.shrink(origin, tmp_path / "small.png")
    assert size == (tmp_path / "small.png").stat().st_size < origin.stat().st_size
    assert images.difference(origin, tmp_path / "small.png") == 0


def test_difference_is_the_share_of_other_pixels(tmp_path: Path) -> None:
    white = save(tmp_path / "white.png", (10, 10))
    assert images.difference(white, save(tmp_path / "same.png", (10, 10))) == 0
    assert images.difference(white, save(tmp_path / "dots.png", (10, 10), 7)) == 0.07
    assert images.difference(white, save(tmp_path / "wide.png", (20, 10))) == 1
