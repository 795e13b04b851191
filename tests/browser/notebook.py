"""A notebook open in JupyterLab: what a reader does with it, by menus, mouse and keyboard.

What has happened is read from JupyterLab's own model of the notebook, which `make lab` shows to the
page under --expose-app-in-browser; what is done is done as a person would do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

from tests.browser.server import TOKEN

# A shared machine may be many times slower than a quiet one; nothing waits longer than it must.
LOADING_MS = 120_000
RUNNING_MS = 600_000

CELLS = "window.jupyterapp?.shell.currentWidget?.content?.widgets ?? []"
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
IS_OPEN = f"""path => {KERNEL}?.status === 'idle'
    && jupyterapp.shell.currentWidget.context?.path === path"""
# Whether one of these cells failed, or all of them have ended: a cell that waits or runs has no
# execution count after its outputs were cleared.
IS_OVER = f"""indices => {{
    const cells = ({CELLS}).filter((_, i) => indices.includes(i)).map(cell => cell.model);
    const hasFailed = cell => cell.outputs.toJSON().some(output => output.output_type === 'error');
    const hasEnded = cell => cell.executionCount !== null && cell.executionState === 'idle';
    return {KERNEL}?.status === 'idle' && (cells.some(hasFailed) || cells.every(hasEnded));
}}"""
EXECUTE = f"""async code => {{
    const future = {KERNEL}.requestExecute({{code, store_history: false}});
    let text = '';
    future.onIOPub = message => {{ text += message.content.text ?? message.content.evalue ?? ''; }};
    await future.done;
    return text;
}}"""


class NotebookPage:
    """JupyterLab in a browser of its own, with the notebook in front."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def wait_until_open(self, path: str) -> None:
        """Wait until this notebook is the one in front, with an idle kernel."""
        self.page.wait_for_function(IS_OPEN, arg=path, timeout=LOADING_MS)
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first.wait_for()

    def choose(self, menu: str, entry: str) -> None:
        """Choose an entry of the menu bar."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def run_all(self) -> None:
        """Run every cell and wait for the last one, or for the first that fails."""
        self.choose("Edit", "Clear Outputs of All Cells")
        self.choose("Run", "Run All Cells")
        self.wait_for(self.code_cells())

    def outputs(self) -> list[list[dict]]:
        """The outputs of every cell as nbformat has them; none for text cells."""
        return self.page.evaluate(f"({CELLS}).map(cell => cell.model.outputs?.toJSON() ?? [])")

    def text(self, index: int) -> str:
        """What a cell printed."""
        return "".join(output.get("text", "") for output in self.outputs()[index])

    def source(self, index: int) -> str:
        """A cell's source as it stands now."""
        return self.page.evaluate(f"({CELLS})[{index}].model.sharedModel.source")

    def code_cells(self) -> list[int]:
        """Indices of the cells with code."""
        kinds = self.page.evaluate(f"({CELLS}).map(cell => cell.model.type)")
        return [i for i, kind in enumerate(kinds) if kind == "code"]

    def find(self, source: str) -> int:
        """Index of the only code cell whose source contains this text."""
        sources = self.page.evaluate(f"({CELLS}).map(cell => cell.model.sharedModel.source)")
        (index,) = [i for i in self.code_cells() if source in sources[i]]
        return index

    def scroll_to(self, index: int) -> None:
        """Bring the cell to the top of the window."""
        self.page.evaluate(
            "index => jupyterapp.shell.currentWidget.content.scrollToItem(index, 'start')", index
        )

    def cell(self, index: int) -> Locator:
        """The cell, scrolled into view."""
        self.scroll_to(index)
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def start(self, index: int) -> None:
        """Run one cell with Control-Enter and return while it runs."""
        cell = self.cell(index)
        cell.locator(".jp-InputPrompt").click()  # selects the cell, outside of its editor
        self.page.keyboard.press("Control+Enter")

    def wait_for(self, indices: list[int]) -> None:
        """Wait until all of these cells, which were started, have ended, or until one failed."""
        self.page.wait_for_function(IS_OVER, arg=indices, timeout=RUNNING_MS, polling=500)

    def run(self, index: int) -> None:
        """Run one cell and wait for it."""
        before = self._count(index)
        self.start(index)
        self.page.wait_for_function(
            f"([index, before]) => ({CELLS})[index].model.executionCount !== before",
            arg=[index, before],
            timeout=LOADING_MS,
        )
        self.wait_for([index])

    def run_up_to(self, index: int) -> None:
        """Run all cells above this one, and wait for them."""
        self.choose("Edit", "Clear Outputs of All Cells")
        self.cell(index).locator(".jp-InputPrompt").click()
        self.choose("Run", "Run All Above Selected Cell")
        self.wait_for([i for i in self.code_cells() if i < index])

    def write(self, index: int, source: str) -> None:
        """Replace a cell's source by keyboard."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Escape")

    def stop(self) -> None:
        """Press the stop button of the toolbar."""
        self.page.locator(
            '.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]'
        ).click()

    def execute(self, code: str) -> str:
        """Run code in the kernel without a cell, and return what it printed."""
        return self.page.evaluate(EXECUTE, code)

    def _count(self, index: int) -> int | None:
        return self.page.evaluate(f"({CELLS})[{index}].model.executionCount")


@contextmanager
def opened(
    browser: Browser, address: str, path: str, *, by_url: str | None = None
) -> Iterator[NotebookPage]:
    """Open a notebook in a new browser profile; its kernel ends with it.

    Args:
        browser: A running browser.
        address: Of the server.
        path: Of the notebook, in the course.
        by_url: What to ask the server for, if not for the notebook itself.
    """
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(LOADING_MS)
    try:
        notebook = NotebookPage(context.new_page())
        notebook.page.goto(f"{address}{by_url or f'/lab/tree/{path}'}?token={TOKEN}&reset")
        notebook.wait_until_open(path)
        yield notebook
        notebook.page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    finally:
        context.close()
