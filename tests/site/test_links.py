"""Every link of the site leads somewhere, and no page loads anything from elsewhere."""

import pytest

from tests.site import links


def test_every_link_of_the_site_leads_somewhere(site):
    assert links.broken(site) == []


def test_links_out_of_the_site_are_encrypted(site):
    outside = links.external(site)
    assert outside  # the theme names itself
    assert {address for address in outside if not address.startswith("https://")} == set()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="gone.html">x</a>', "page.html: no file for gone.html"),
        ('<a href="#gone">x</a>', "page.html: no anchor for #gone"),
        ('<a href="other.html#gone">x</a>', "page.html: no anchor for other.html#gone"),
        ('<img src="gone.png">', "page.html: no file for gone.png"),
        ('<a href="../outside.html">x</a>', "page.html: no file for ../outside.html"),
        ('<script src="https://cdn.example/x.js"></script>', "page.html: loads https://cdn.exam"),
        ('<link href="//cdn.example/x.css">', "page.html: loads //cdn.example/x.css"),
    ],
)
def test_a_broken_link_is_found(tmp_path, body, problem):
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "outside.html").write_text("")
    (folder / "other.html").write_text('<p id="here"></p>')
    (folder / "page.html").write_text(body)
    (found,) = links.broken(folder)
    assert found.startswith(problem)


def test_a_right_link_is_not_reported(tmp_path):
    (tmp_path / "a b.html").write_text('<p id="变">x</p>')
    (tmp_path / "page.html").write_text(
        '<a href="a%20b.html#%E5%8F%98">x</a><a href="https://example.org">y</a>'
    )
    assert links.broken(tmp_path) == []
    assert links.external(tmp_path) == {"https://example.org"}
