"""Opening pages of a site in a browser, and noting what a reader would stumble over."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
LOOK = (HERE / "look.js").read_text()
CONTRAST = (HERE / "contrast.js").read_text()
SCHEMES = ("light", "dark")


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing; what goes wrong shows in the browser."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; gives its address, with a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=folder))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def opened(browser: Browser, address: str, width: int) -> Iterator[tuple[Page, list[str]]]:
    """Open one page after the other in a window of this width.

    Gives the window and the list of what went wrong in it so far: errors on the console, requests
    that failed, and requests to anywhere but ``address``, which are not let through.
    """
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    problems: list[str] = []

    def guard(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            problems.append(f"request leaves the site: {route.request.url}")
            route.abort()

    context.route("**/*", guard)
    page.on("pageerror", lambda error: problems.append(f"error in a script: {error}"))
    page.on(
        "console",
        lambda message: (
            problems.append(f"on the console: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on(
        "response",
        lambda response: (
            problems.append(f"{response.status} for {response.url}")
            if response.status >= 400
            else None
        ),
    )
    try:
        yield page, problems
    finally:
        context.close()


def look_at(page: Page, url: str) -> list[str]:
    """Open a page, wait for its formulas, and return what is wrong with it in either scheme."""
    page.goto(url, wait_until="load")
    page.evaluate("() => window.MathJax?.startup.promise")
    problems = page.evaluate(LOOK)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        problems += [f"{scheme}: {line}" for line in page.evaluate(CONTRAST)]
    return problems
