"""Pictures of the web client, taken in the system's browser.

Run as ``python -m workbench.browser JOB`` in the environment that has Playwright, it
takes the pictures that a JSON file asks for. It says what was wrong with any of them,
errors on the browser's console included, and ends with status 1 then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import locks, paths, python_env
from .odoo_server import RunningOdoo
from .steps import StepFailed, run, say
from .system_packages import BROWSERS, find_program

MODULE = "workbench.browser"
FOLDER = paths.WORK / "browser"
#: Letters are drawn alike on every machine.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-lcd-text",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
)
#: The only fonts that the browser gets to see are those that come with Odoo's package.
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""
#: What the browser's clock says; the time zone is UTC.
NOW = "2026-03-02T09:30:00Z"
WAIT_SECONDS = 30.0
#: How long a page has to ask nothing of the server before it counts as ready.
QUIET_SECONDS = 0.4
#: Requests that a page waits for; of its workers' scripts the browser never says that
#: they have come.
QUESTIONS = ("fetch", "xhr")
CLIENT_READY = "odoo.isReady && odoo.__WOWL_DEBUG__"
OPEN_ACTION = """async ([action, options]) => {
    try {
        await odoo.__WOWL_DEBUG__.root.env.services.action.doAction(action, options);
    } catch (error) {
        throw new Error(error.data?.message || error.message);
    }
}"""


@dataclass(frozen=True)
class Shot:
    """One picture to take: who opens what in how large a window.

    ``action`` is the XML id of an action, ``res_id`` the record that it shows, 0 for
    none. Then the ``clicks`` are made, each on what a selector finds. ``crop`` selects
    the part that the picture shows, with a ``margin``, or, if ``whole``, that is
    scrolled to. ``debug`` opens the pages that only developers see; ``dark`` lets the
    browser darken them, for Odoo Community has no dark mode.
    """

    name: str
    login: str
    action: str
    res_id: int = 0
    context: Mapping[str, Any] = field(default_factory=dict)
    company_ids: Sequence[int] = ()
    clicks: Sequence[str] = ()
    crop: str = "body"
    margin: int = 0
    whole: bool = False
    width: int = 1280
    height: int = 800
    dark: bool = False
    debug: bool = False

    @property
    def phone(self) -> bool:
        """Whether the window is that of a phone, which is touched."""
        return self.width < 500


def photograph(odoo: RunningOdoo, fonts: Path, shots: Sequence[Shot]) -> Path:
    """Take pictures as the demonstration's users, whose passwords are their logins.

    :param fonts: folder of the fonts to show text in
    :return: a folder with a PNG file for every shot, by its name
    :raise StepFailed: a picture could not be taken, or a page reported an error
    """
    with locks.exclusive("browser"):
        python = python_env.ensure_browser_environment()
    FOLDER.mkdir(exist_ok=True)
    for picture in FOLDER.glob("*.png"):
        picture.unlink()
    job = FOLDER / f"{odoo.database}.json"
    facts = {
        "browser": str(find_program(*BROWSERS)),
        "database": odoo.database,
        "fonts": str(fonts),
        "url": odoo.url,
    }
    job.write_text(json.dumps({**facts, "shots": [*map(dataclasses.asdict, shots)]}))
    run(
        [python, "-m", MODULE, job],
        title=f"Take pictures ({len(shots)})",
        log="browser",
        how_to_go_on=f"What the page showed is in {paths.relative(FOLDER)}. Correct "
        "the page, or the picture's entry in workbench/screenshots.py.",
        cwd=paths.REPO,
        watch=_last_line,
    )
    return FOLDER


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").splitlines() or [""])[-1]


# What follows runs in the process that has Playwright.


def main(job_file: Path) -> int:
    """Take all pictures of a job; return the exit status."""
    from playwright.sync_api import sync_playwright

    job = json.loads(job_file.read_text())
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=job["browser"],
            args=[*ARGUMENTS],
            env={**os.environ, **_limit_fonts(job["fonts"])},
        )
        studio = Studio(browser, job["url"], job["database"])
        for values in job["shots"]:
            shot = Shot(**values)
            say(shot.name)
            problems += studio.take(shot)
        browser.close()
    for problem in problems:
        say(problem)
    return 1 if problems else 0


def _limit_fonts(fonts: str) -> dict[str, str]:
    """Return the variable by which fontconfig finds one folder of fonts alone."""
    if not any(Path(fonts).rglob("*.ttf")):
        return {}
    file = FOLDER / "fonts.conf"
    file.write_text(FONTS.format(fonts=fonts, cache=FOLDER / "font-cache"))
    return {"FONTCONFIG_FILE": str(file)}


class Studio:
    """A browser, and the users who are logged in there."""

    def __init__(self, browser: Any, url: str, database: str) -> None:
        self.browser = browser
        self.url = url
        self.database = database
        self._context = functools.cache(self._open_context)

    def take(self, shot: Shot) -> list[str]:
        """Take a picture; return what was wrong."""
        from playwright.sync_api import Error

        context = self._context(shot.login, shot.phone)
        cids = "-".join(map(str, shot.company_ids))
        if cids:
            context.add_cookies([{"name": "cids", "value": cids, "url": self.url}])
        page = Page(context.new_page(), shot)
        try:
            page.open(f"{self.url}/odoo?debug={shot.debug:d}")
            for place in shot.clicks:
                page.click(place)
            page.save(FOLDER / f"{shot.name}.png")
        except Error as error:
            page.problems.append(error.message.strip())
            with contextlib.suppress(Error):
                page.page.screenshot(path=FOLDER / f"{shot.name}.png")
        problems = [f"{shot.name}: {problem}" for problem in page.problems]
        # a form that is left saves itself: what was edited for a picture must not stay
        context.set_offline(True)
        page.page.close()
        context.set_offline(False)
        return problems

    def _open_context(self, login: str, phone: bool) -> Any:
        context = self.browser.new_context(
            device_scale_factor=1,
            has_touch=phone,
            is_mobile=phone,
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        context.set_default_timeout(WAIT_SECONDS * 1000)
        self._log_in(context, login)
        return context

    def _log_in(self, context: Any, login: str) -> None:
        values = {"db": self.database, "login": login, "password": login}
        answer = context.request.post(
            f"{self.url}/web/session/authenticate",
            data={"jsonrpc": "2.0", "method": "call", "params": values},
        ).json()
        if "error" in answer:
            what = f"{login}: {answer['error']['data']['message']}"
            raise StepFailed("Log in", what, "Correct the picture's login.")


class Page:
    """A page that a user has open, and what the browser says of it."""

    def __init__(self, page: Any, shot: Shot) -> None:
        self.page = page
        self.shot = shot
        self.problems: list[str] = []
        self._asked: set[Any] = set()
        self._quiet_since = time.monotonic()
        page.set_viewport_size({"width": shot.width, "height": shot.height})
        page.clock.set_fixed_time(NOW)
        if shot.dark:
            devtools = page.context.new_cdp_session(page)
            devtools.send("Emulation.setAutoDarkModeOverride", {"enabled": True})
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._on_console)
        page.on("request", self._on_request)
        page.on("requestfinished", self._on_answer)
        page.on("requestfailed", self._on_answer)

    def open(self, url: str) -> None:
        """Open the web client, and the action in it."""
        self.page.goto(url)
        self.page.wait_for_function(CLIENT_READY)
        self._wait_until_quiet()
        options: dict[str, Any] = {
            "additionalContext": self.shot.context,
            "clearBreadcrumbs": True,
        }
        if self.shot.res_id:
            options["viewType"] = "form"
            options["props"] = {"resId": self.shot.res_id}
        self.page.evaluate(OPEN_ACTION, [self.shot.action, options])
        self._wait_until_quiet()

    def click(self, place: str) -> None:
        """Click what a selector finds first, and wait for the answer."""
        self.page.locator(place).first.click()
        self._wait_until_quiet()

    def save(self, path: Path) -> None:
        """Take the picture once nothing moves any more."""
        self.page.locator(self.shot.crop).first.scroll_into_view_if_needed()
        options = {"animations": "disabled", "caret": "hide", **self._clip()}
        before = None
        for _attempt in range(20):
            picture = self.page.screenshot(**options)
            if picture == before:
                break
            before = picture
            self.page.wait_for_timeout(QUIET_SECONDS * 1000)
        else:
            self.problems.append("the page never stands still")
        path.write_bytes(picture)

    def _clip(self) -> dict[str, Any]:
        if self.shot.whole:
            return {}
        box = self.page.locator(self.shot.crop).first.bounding_box()
        if box["y"] < 0 or box["y"] + box["height"] > self.shot.height:
            self.problems.append(f"the window is too low: the part is at {box}")
        margin = self.shot.margin
        x, y = box["x"] - margin, box["y"] - margin
        width, height = box["width"] + 2 * margin, box["height"] + 2 * margin
        return {"clip": {"x": x, "y": y, "width": width, "height": height}}

    def _wait_until_quiet(self) -> None:
        """Wait until the page has got every answer, and asks nothing more."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
            if self._asked:
                self._quiet_since = time.monotonic()
            elif time.monotonic() - self._quiet_since > QUIET_SECONDS:
                return
        unanswered = ", ".join(request.url for request in self._asked)
        self.problems.append(f"no answer in {WAIT_SECONDS:.0f} s: {unanswered}")

    def _on_request(self, request: Any) -> None:
        if request.resource_type in QUESTIONS:
            self._asked.add(request)

    def _on_answer(self, request: Any) -> None:
        self._asked.discard(request)
        self._quiet_since = time.monotonic()

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"on the console: {message.text}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
