"""Visits pages as people do, in a real browser, and holds each visit to what every page promises.

No page breaks its content security policy, logs an error, asks for what isn't there or another host, is wider than a
phone, a desk or a wall, or has anything that axe-core finds wrong, in light and in dark.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import ViewportSize
from proven import DONE, deed, deeds, sent

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Request, Response

Size: TypeAlias = Literal["desktop", "phone"]
SIZES: dict[Size, tuple[int, int]] = {"desktop": (1280, 900), "phone": (390, 844)}
DESK, WALL = ViewportSize(width=1280, height=900), ViewportSize(width=1920, height=1080)
TIMEOUT_MS = 90_000
PICTURES = Path(__file__).parents[2] / "docs" / "screenshots"
ALIKE = {"include": ["html"], "exclude": ["tbody > tr:nth-child(n+12)", "svg > .mark ~ .mark ~ .mark ~ .mark ~ .mark"]}
"""Of what is made alike the first ones are looked at by axe-core: it takes its time for each."""
WATCH = """
window.policyViolations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.policyViolations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""


class Visitor:
    """Opens pages of one hub. `wrong` is what happened on them that mustn't."""

    def __init__(self, browser: Browser, url: str, *, pictures: bool = False) -> None:
        self.url = url
        self.wrong: list[str] = []
        self._browser = browser
        self._pictures = pictures
        self._contexts: list[BrowserContext] = []

    async def new_page(self, size: Size = "desktop", **context: Any) -> Page:
        """An empty page of a visitor that nobody knows yet; `context` as Playwright's `new_context`."""
        width, height = SIZES[size]
        options: dict[str, Any] = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}
        found = await self._browser.new_context(base_url=self.url, **options | context)
        self._contexts.append(found)
        found.set_default_timeout(TIMEOUT_MS)
        await found.add_init_script(WATCH)
        found.on("page", self._watch)
        return await found.new_page()

    async def open(self, path: str, size: Size = "desktop", *, status: int = 200, page: Page | None = None) -> Page:
        """Go there, on a new page or on `page`, and look it over. `status` is the answer that is expected."""
        page = page or await self.new_page(size)
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path} answers {answer.status}: {(await answer.text())[:500]}"
        await self.look_over(page)
        return page

    async def look_over(self, page: Page) -> None:
        """What every page promises, as it is shown now. Also for after something was done on it."""
        await page.wait_for_load_state("load")
        violations = await page.evaluate("window.policyViolations")
        assert not violations, f"{page.url} breaks its policy: {violations}"
        assert not self.wrong, f"{page.url}: {self.wrong}"
        unknown = {deed(where, chosen) for where, chosen in await offered(page)} - deeds()
        assert not unknown, f"{page.url} offers what isn't among the deeds: {unknown}"
        await self._fits(page)
        if page.viewport_size == DESK:
            await page.set_viewport_size(WALL)
            await self._fits(page)
            await page.set_viewport_size(DESK)
        if await page.evaluate("matchMedia('(scripting: none)').matches"):  # axe-core is one
            return
        if not await page.evaluate("Boolean(window.axe)"):
            await page.evaluate(AXE_SCRIPT)
        await _accessible(page)
        await page.emulate_media(color_scheme="dark")
        await _accessible(page, runOnly=["color-contrast"])
        await page.emulate_media(color_scheme="light")

    async def wall(self, path: str) -> Page:
        """Go there as a display on the wall does, which nobody can scroll."""
        page = await self.open(path, page=await self.new_page(viewport=WALL, color_scheme="dark"))
        tall, room = await page.evaluate("[document.documentElement.scrollHeight, window.innerHeight]")
        assert tall <= room, f"{path} is {tall} px tall on a wall of {room} px"
        return page

    async def picture(self, page: Page, name: str) -> None:
        """Keep what is on the screen as docs/screenshots/NAME.png, if pictures are wanted."""
        if self._pictures:
            PICTURES.mkdir(exist_ok=True)
            await page.evaluate("window.scrollTo(0, 0)")
            size = page.viewport_size or {"width": 0, "height": 0}
            clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 760)}
            await page.screenshot(path=PICTURES / f"{name}.png", clip=clip, animations="disabled", caret="hide")

    async def leave(self) -> None:
        """Close everything, and say what was wrong meanwhile."""
        wrong = list(self.wrong)
        for context in self._contexts:
            for page in context.pages:
                wrong += await page.evaluate("window.policyViolations || []")
            await context.close()
        assert not wrong, wrong

    async def _fits(self, page: Page) -> None:
        wide, room = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= room, f"{page.url} is {wide} px wide on a screen of {room} px: {await page.evaluate(_WIDE)}"

    def _watch(self, page: Page) -> None:
        page.on("console", lambda said: self._if(said.type == "error", f"console: {said.text}"))
        page.on("pageerror", lambda error: self._if(True, f"script: {error}"))
        host = urlsplit(self.url).netloc
        page.on("request", lambda asked: self._if(urlsplit(asked.url).netloc != host, f"asks elsewhere: {asked.url}"))
        page.on("response", self._answered)
        page.on("requestfailed", self._unanswered)

    def _answered(self, answer: Response) -> None:
        """The page's own answer is looked at by who opens it; all it is made of must be there, but for a live part
        whose session has ended.
        """
        parts = not answer.request.is_navigation_request()
        if answer.request.method == "POST" and answer.status < 400:
            DONE.add(sent(answer.url, answer.request.post_data))
        ended = answer.status == 401 and answer.request.resource_type == "eventsource"
        self._if(parts and answer.status >= 400 and not ended, f"{answer.status} for {answer.url}")

    def _unanswered(self, asked: Request) -> None:
        """What a page still waits for when it is left isn't waited for any more."""
        self._if(asked.failure != "net::ERR_ABORTED", f"no answer for {asked.url}: {asked.failure}")

    def _if(self, wrong: bool, what: str) -> None:
        if wrong and "Failed to load resource" not in what:
            self.wrong.append(what)


_WIDE = """[...document.querySelectorAll("main *, footer *, header *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.parentElement.closest("pre, .wide"))
  .slice(0, 5).map((one) => one.outerHTML.slice(0, 120))"""


async def offered(page: Page, html: str | None = None) -> list[tuple[str, dict[str, str]]]:
    """The forms of the page that do something, or of another's HTML: each address with each choice in it."""
    found: list[tuple[str, dict[str, str]]] = await page.evaluate(_OFFERED, html)
    return found


_OFFERED = """(html) => [
  ...(html ? new DOMParser().parseFromString(html, "text/html") : document).querySelectorAll("form[method=post]")
].flatMap((form) => {
  const address = form.getAttribute("action");
  const fields = [...form.querySelectorAll("[name=command], [name=decision]")];
  const chosen = fields.flatMap((one) => [...(one.options || [one])]).map((one) => one.value);
  return (chosen.length ? chosen : [""]).map((one) => [address, {command: one, decision: one}]);
})"""


async def _accessible(page: Page, **options: Any) -> None:
    options["resultTypes"] = ["violations"]
    violations = await page.evaluate(
        "([where, options]) => axe.run(where, options).then((found) => found.violations)", [ALIKE, options]
    )
    told = [f"{one['id']}: {one['help']}: {_where(one['nodes'])}" for one in violations]
    assert not told, f"{page.url} isn't accessible to all: {told}"


def _where(nodes: list[dict[str, Any]]) -> list[str]:
    return [f"{node['html'][:200]} {node['failureSummary']}" for node in nodes[:3]]
