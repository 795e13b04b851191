"""What a reader meets first after `make lab`."""

from tests.browser.notebook import opened


def test_lab_opens_on_the_start_page_whose_links_lead_on(lab, browser, keep_screenshot):
    with opened(browser, lab, "notebooks/00-start-here.ipynb", by_url="/") as notebook:
        notebook.page.get_by_role("heading", name="0 · Start here").wait_for()
        keep_screenshot("start-page")
        notebook.page.get_by_role("link", name="2 · Latent variables and the ELBO").click()
        notebook.wait_until_open("notebooks/02-latent-variables-and-the-elbo.ipynb")
        notebook.page.get_by_role("heading", name="2 · Latent variables").first.wait_for()
        assert notebook.complaints == []
