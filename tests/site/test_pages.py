"""Every page in a browser, on a desk and on a phone, in light and dark."""

import pytest

from tests.site.browsing import look_at, opened, served

DESK, PHONE = 1280, 390


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_every_page_reads_well(site, address, browser, width):
    pages = sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    pages = [page for page in pages if not page.startswith("_static/")]
    assert len(pages) > 23 + 5  # the notebooks and, beside others, the start page and the ledger
    found = {}
    with opened(browser, address, width) as (page, problems):
        for name in pages:
            seen = look_at(page, address + name)
            if seen or problems:
                found[name] = seen + problems
            problems.clear()
    assert not found, "\n".join(f"{name}: {line}" for name in found for line in found[name])


WIDE = '<p style="width: 2000px">x</p>'
DARK = "@media (prefers-color-scheme: dark) {body {background: black}}"
PLAIN = '<meta charset="utf-8"><link rel="icon" href="data:,">'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (r'<span class="math">\(x\)</span>', "formula not rendered"),
        (r"<p>so \(x\) is</p>", "raw TeX"),
        ("<p>so $x^2$ is</p>", "raw TeX"),
        ("<p>so $$x$$ is</p>", "raw TeX"),
        ("<mjx-merror>x</mjx-merror>", "formula with an error"),
        ('<mjx-container><b style="color: red">\\x</b></mjx-container>', "formula with an error"),
        ("<script>console.error('no')</script>", "on the console: no"),
        ("<script>throw new Error('oh')</script>", "error in a script: oh"),
        ('<script src="gone.js"></script>', "404 for"),
        ('<link rel="stylesheet" href="https://cdn.example/x.css">', "request leaves the site"),
        ('<img src="gone.png">', "picture without content"),
        (f"<article>{WIDE}</article>", "the page is 2008 px wide"),
        (f'<article style="overflow: hidden">{WIDE}</article>', "cut off at 2008 px"),
        ('<p style="color: #999">x</p>', "light: contrast 2.8"),
        (f"<style>{DARK} p {{color: #333}}</style><p>x</p>", "dark: contrast 1.7"),
    ],
)  # fmt: skip
def test_what_reads_badly_is_found(tmp_path, browser, body, problem):
    (tmp_path / "index.html").write_text(f"{PLAIN}{body}")
    with served(tmp_path) as address, opened(browser, address, PHONE) as (page, problems):
        found = look_at(page, address) + problems
    assert any(line.startswith(problem) for line in found), found


def test_what_reads_well_is_not_reported(tmp_path, browser):
    (tmp_path / "index.html").write_text(
        f"{PLAIN}<p>costs $5</p><code>$x$</code>"
        f'<article><div style="overflow-x: auto">{WIDE}</div></article>'
    )
    with served(tmp_path) as address, opened(browser, address, PHONE) as (page, problems):
        assert look_at(page, address) + problems == []


def test_the_dark_scheme_is_dark(address, browser):
    with opened(browser, address, PHONE) as (page, _):
        page.goto(address)
        colours = {}
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            colours[scheme] = [int(value) for value in colour[4:-1].split(",")]
    assert min(colours["light"]) > 200
    assert max(colours["dark"]) < 60


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("reparameterisation", "notebooks/04-reparameterisation.html"),
        ("变分自编码器", "notebooks/05-training-a-vae.html"),
        ("gaussian_kl_general", "api/gm_course.divergences.html"),
    ],
)
def test_search_finds(address, browser, words, expected):
    with opened(browser, address, DESK) as (page, problems):
        page.goto(f"{address}index.html")
        page.locator("input[name=q]").first.fill(words)
        page.keyboard.press("Enter")
        page.locator(f'#search-results a[href^="{expected}"]').first.wait_for(timeout=20_000)
        assert problems == []


def test_a_folded_answer_opens(address, browser):
    with opened(browser, address, PHONE) as (page, _):
        page.goto(f"{address}solutions/13-2.html")
        answer = page.locator("details.hide .highlight").first
        assert not answer.is_visible()
        page.get_by_text("Show the answer").first.click()
        answer.wait_for(state="visible", timeout=5_000)


def test_a_name_in_the_ledger_leads_to_its_place(address, browser):
    with opened(browser, address, DESK) as (page, _):
        page.goto(f"{address}ledger.html")
        page.get_by_role("link", name="gaussian-kl-standard").click()
        page.wait_for_url("**/05-training-a-vae.html#equation-gaussian-kl-standard")
        assert page.locator("#equation-gaussian-kl-standard").inner_text() == "gaussian-kl-standard"
