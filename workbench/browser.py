"""Takes pictures of the web client in the system's browser, for ./screenshots.

Run as ``python -m workbench.browser FOLDER`` in the environment that has Playwright, it
takes the pictures that ``job.json`` in the folder asks for. It says what was wrong with
any of them, errors on the browser's console included, and ends with status 1 then.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, sync_playwright

from .pictures import Picture, resolve

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


def main(folder: Path) -> int:
    """Take all pictures of a job; return the exit status."""
    job = json.loads((folder / "job.json").read_text())
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=job["browser"],
            args=[*ARGUMENTS],
            env={**os.environ, **_limit_fonts(folder, job["fonts"])},
        )
        studio = Studio(browser, job, folder)
        for values in job["pictures"]:
            picture = Picture(**values)
            print(picture.name, flush=True)
            problems += studio.take(picture)
        browser.close()
    print(*problems, sep="\n")
    return 1 if problems else 0


def _limit_fonts(folder: Path, fonts: str) -> dict[str, str]:
    """Return the variable by which fontconfig finds one folder of fonts alone."""
    if not any(Path(fonts).rglob("*.ttf")):
        return {}
    file = folder / "fonts.conf"
    file.write_text(FONTS.format(fonts=fonts, cache=folder.parent / "font-cache"))
    return {"FONTCONFIG_FILE": str(file)}


class Studio:
    """A browser, and the users who are logged in there."""

    def __init__(self, browser: Any, job: Mapping[str, Any], folder: Path) -> None:
        self.browser = browser
        self.url: str = job["url"]
        self.database: str = job["database"]
        self.ids: Mapping[str, int] = job["ids"]
        self.folder = folder
        self._context = functools.cache(self._open_context)

    def take(self, picture: Picture) -> list[str]:
        """Take a picture; return what was wrong."""
        context = self._context(picture.login, picture.phone)
        cids = "-".join(str(self.ids[name]) for name in picture.companies)
        if cids:
            context.add_cookies([{"name": "cids", "value": cids, "url": self.url}])
        page = Page(context.new_page(), picture)
        file = self.folder / f"{picture.name}.png"
        try:
            page.open(f"{self.url}/odoo?debug={picture.debug:d}", self.ids)
            for place in picture.clicks:
                page.click(place)
            page.save(file)
        except Error as error:
            page.problems.append(error.message.strip())
            with contextlib.suppress(Error):
                page.page.screenshot(path=file)
        # a form that is left saves itself: what was edited for a picture must not stay
        context.set_offline(True)
        page.page.close()
        context.set_offline(False)
        return [f"{picture.name}: {problem}" for problem in page.problems]

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
            sys.exit(f"{login}: {answer['error']['data']['message']}")


class Page:
    """A page that a user has open, and what the browser says of it."""

    def __init__(self, page: Any, picture: Picture) -> None:
        self.page = page
        self.picture = picture
        self.problems: list[str] = []
        self._asked: set[Any] = set()
        self._quiet_since = time.monotonic()
        page.set_viewport_size({"width": picture.width, "height": picture.height})
        page.clock.set_fixed_time(NOW)
        if picture.dark:
            devtools = page.context.new_cdp_session(page)
            devtools.send("Emulation.setAutoDarkModeOverride", {"enabled": True})
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._on_console)
        page.on("request", self._on_request)
        page.on("requestfinished", self._on_answer)
        page.on("requestfailed", self._on_answer)

    def open(self, url: str, ids: Mapping[str, int]) -> None:
        """Open the web client, and the action in it.

        :param ids: of the records that the picture names
        """
        self.page.goto(url)
        self.page.wait_for_function(CLIENT_READY)
        self._wait_until_quiet()
        options: dict[str, Any] = {
            "additionalContext": resolve(self.picture.context, ids),
            "clearBreadcrumbs": True,
        }
        if self.picture.record:
            options["viewType"] = "form"
            options["props"] = {"resId": ids[self.picture.record]}
        self.page.evaluate(OPEN_ACTION, [self.picture.action, options])
        self._wait_until_quiet()

    def click(self, place: str) -> None:
        """Click what a selector finds first, and wait for the answer."""
        self.page.locator(place).first.click()
        self._wait_until_quiet()

    def save(self, path: Path) -> None:
        """Take the picture once nothing moves any more."""
        self.page.locator(self.picture.crop).first.scroll_into_view_if_needed()
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
        if self.picture.whole:
            return {}
        box = self.page.locator(self.picture.crop).first.bounding_box()
        if box["y"] < 0 or box["y"] + box["height"] > self.picture.height:
            self.problems.append(f"the window is too low: the part is at {box}")
        margin = self.picture.margin
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
