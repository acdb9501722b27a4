"""Takes pictures of the web client in the system's browser, for ./screenshots."""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, sync_playwright

from . import system_packages
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
#: The company that is open.
COMPANY = "company_alder"
#: How long a page has to ask nothing of the server before it counts as ready, and how
#: long that may take.
QUIET_MILLISECONDS, WAIT_MILLISECONDS = 400, 30_000
OPEN_ACTION = """async ([action, options]) => {
    try {
        await odoo.__WOWL_DEBUG__.root.env.services.action.doAction(action, options);
    } catch (error) {
        throw new Error(error.data?.message || error.message);
    }
}"""


@dataclass(frozen=True)
class Studio:
    """Where pictures are taken: an Odoo with the demonstration data, and a folder."""

    url: str
    database: str
    ids: Mapping[str, int]
    folder: Path

    def take(self, pictures: Sequence[Picture], fonts: Path) -> list[str]:
        """Take pictures; return what was wrong with any of them."""
        file, cache = self.folder / "fonts.conf", self.folder.parent / "font-cache"
        file.write_text(FONTS.format(fonts=fonts, cache=cache))
        own = {"FONTCONFIG_FILE": str(file)} if any(fonts.rglob("*.ttf")) else {}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=system_packages.find_program(system_packages.BROWSERS),
                args=[*ARGUMENTS],
                env={**os.environ, **own},
            )
            context_of = functools.cache(functools.partial(self._context, browser))
            return [
                f"{it.name}: {problem}"
                for it in pictures
                for problem in self._take(context_of(it.login, it.phone), it)
            ]

    def _context(self, browser: Any, login: str, phone: bool) -> Any:
        """Log a user in."""
        context = browser.new_context(
            has_touch=phone,
            is_mobile=phone,
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        values = {"db": self.database, "login": login, "password": login}
        context.request.post(
            f"{self.url}/web/session/authenticate",
            data={"jsonrpc": "2.0", "method": "call", "params": values},
        )
        company = str(self.ids[COMPANY])
        context.add_cookies([{"name": "cids", "value": company, "url": self.url}])
        return context

    def _take(self, context: Any, picture: Picture) -> list[str]:
        page = Page(context.new_page(), picture)
        try:
            page.open(f"{self.url}/odoo?debug={picture.debug:d}", self.ids)
            page.save(self.folder / f"{picture.name}.png")
        except Error as error:
            page.problems.append(error.message.strip())
        # a form that is left saves itself: what was edited for a picture must not stay
        context.set_offline(True)
        page.page.close()
        context.set_offline(False)
        return page.problems


@dataclass
class Page:
    """A page that a user has open, and what the browser says of it."""

    page: Any
    picture: Picture
    problems: list[str] = field(default_factory=list)
    asked: set[Any] = field(default_factory=set)
    quiet: int = 0

    def __post_init__(self) -> None:
        size = {"width": self.picture.width, "height": self.picture.height}
        self.page.set_viewport_size(size)
        self.page.clock.set_fixed_time(NOW)
        if self.picture.dark:
            devtools = self.page.context.new_cdp_session(self.page)
            devtools.send("Emulation.setAutoDarkModeOverride", {"enabled": True})
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._on_console)
        self.page.on("request", self._on_request)
        self.page.on("requestfinished", lambda request: self.asked.discard(request))
        self.page.on("requestfailed", lambda request: self.asked.discard(request))

    def open(self, url: str, ids: Mapping[str, int]) -> None:
        """Open the web client, the action in it, and what is clicked then."""
        self.page.goto(url)
        self.page.wait_for_function("odoo.isReady && odoo.__WOWL_DEBUG__")
        self.wait_until_quiet()
        options: dict[str, Any] = {
            "additionalContext": resolve(self.picture.context, ids),
            "clearBreadcrumbs": True,
        }
        if self.picture.record:
            options["viewType"] = "form"
            options["props"] = {"resId": ids[self.picture.record]}
        self.page.evaluate(OPEN_ACTION, [self.picture.action, options])
        self.wait_until_quiet()
        for place in self.picture.clicks:
            self.page.locator(place).first.click()
            self.wait_until_quiet()

    def save(self, path: Path) -> None:
        """Take the picture once nothing moves any more."""
        shown = self.page.locator(self.picture.crop).first
        shown.scroll_into_view_if_needed()
        options: dict[str, Any] = {"animations": "disabled", "caret": "hide"}
        if not self.picture.whole:
            options["clip"] = box = shown.bounding_box()
            if box["y"] < 0 or box["y"] + box["height"] > self.picture.height:
                self.problems.append(f"the window is too low: the part is at {box}")
        before, after = b"", self.page.screenshot(**options)
        while before != after:
            self.page.wait_for_timeout(QUIET_MILLISECONDS)
            before, after = after, self.page.screenshot(**options)
        path.write_bytes(after)

    def wait_until_quiet(self) -> None:
        """Wait until the page has got every answer, and asks nothing more."""
        pause = 50
        for _moment in range(WAIT_MILLISECONDS // pause):
            self.page.wait_for_timeout(pause)
            self.quiet = 0 if self.asked else self.quiet + pause
            if self.quiet > QUIET_MILLISECONDS:
                return
        unanswered = ", ".join(request.url for request in self.asked)
        self.problems.append(f"no answer to {unanswered}")

    def _on_request(self, request: Any) -> None:
        # that a worker's script has come the browser never says
        if request.resource_type in ("fetch", "xhr"):
            self.asked.add(request)
            self.quiet = 0

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"on the console: {message.text}")
