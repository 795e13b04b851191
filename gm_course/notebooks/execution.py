"""Run a notebook in a fresh kernel, and refuse outputs that could not be reproduced."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import zmq
from jupyter_client.client import KernelClient
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from gm_course.notebooks.sources import IGNORE_OUTPUT, RAISES, Source

KERNEL = "python3"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
STARTUP_TIMEOUT = 60  # seconds until a kernel must answer
OUTPUT_TIMEOUT = 30  # seconds from a cell's end until its last output must have arrived

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MODEL = re.compile(r"IPY_MODEL_([0-9a-f]{32})")
_ADDRESS = re.compile(r"\S+ at 0x[0-9a-fA-F]{4,}")

# what nbclient would log is raised here as an error that names the cell
_silent = logging.getLogger(f"{__name__}.nbclient")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class _KernelLostError(Exception):
    """A kernel stopped answering or died; a new one may do better."""

    def __init__(self, index: int, must: str, got: str) -> None:
        super().__init__(got)
        self.index = index
        self.must = must
        self.got = got


async def execute(
    source: Source,
    notebook: NotebookNode,
    *,
    root: Path,
    folder: Path,
    cell_timeout: int,
    report: Callable[[str], None],
) -> NotebookNode:
    """Run every code cell in a fresh kernel and return the notebook with its outputs.

    The kernel works in ``folder``, as JupyterLab and nbval do, imports the package from ``root``,
    and sees none of the ``GM_COURSE_*`` variables but the CPU as device: stored outputs show the
    defaults. A kernel that stalls or dies is killed and the notebook run once more from its start.

    Args:
        source: What the notebook was made from; errors cite its lines.
        notebook: Not changed.
        root: The project's root.
        folder: Existing folder that the built notebook goes to.
        cell_timeout: Seconds that one cell may take.
        report: Called with one line when a kernel was lost and another one is tried.

    Raises:
        BuildError: If a cell fails or leaves an output that another run would not repeat, or if
            two kernels were lost.
    """
    try:
        return await _attempt(source, notebook, root, folder, cell_timeout)
    except _KernelLostError as lost:
        report(f"retrying    {source.file.as_posix()}: cell {lost.index + 1}: {lost.got}")
    try:
        return await _attempt(source, notebook, root, folder, cell_timeout)
    except _KernelLostError as lost:
        raise source.error(
            lost.index,
            lost.must,
            f"{lost.got}, in two kernels one after the other",
            "Run the cell by hand to see what it waits for or what ends it.",
        ) from None


async def _attempt(
    source: Source, notebook: NotebookNode, root: Path, folder: Path, cell_timeout: int
) -> NotebookNode:
    manager = AsyncKernelManager(kernel_name=KERNEL, log=_silent)
    client = NotebookClient(
        copy.deepcopy(notebook),
        km=manager,
        timeout=cell_timeout,
        startup_timeout=STARTUP_TIMEOUT,
        iopub_timeout=OUTPUT_TIMEOUT,
        raise_on_iopub_timeout=True,
        record_timing=False,
        coalesce_streams=True,
        log=_silent,
    )
    finished = False
    receiving = None
    try:
        await client.async_start_new_kernel(
            cwd=str(folder),
            env=_kernel_environment(root),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            kernel = await client.async_start_new_kernel_client()
        except RuntimeError as error:
            raise _KernelLostError(0, "find a running kernel", _one_line(str(error))) from None
        receiving = asyncio.create_task(_keep_receiving(kernel))
        await _run_cells(client, source, root, cell_timeout)
        finished = True
    finally:
        if receiving is not None:
            receiving.cancel()
        await manager.shutdown_kernel(now=not finished)
        if client.kc is not None:
            client.kc.stop_channels()
    return _renumber_widgets(client)


async def _run_cells(client: NotebookClient, source: Source, root: Path, cell_timeout: int) -> None:
    count = 0
    for index, cell in enumerate(client.nb.cells):
        if cell.cell_type != "code":
            continue
        count += 1
        try:
            await client.async_execute_cell(cell, index, execution_count=count)
        except CellExecutionError as error:
            raise source.error(
                index,
                "run without an error",
                _one_line(f"{error.ename}: {error.evalue}"),
                "Correct the source; a notebook built before is still in place.",
            ) from None
        except CellTimeoutError:
            must = f"answer within {cell_timeout} seconds"
            raise _KernelLostError(index, must, "no answer") from None
        except DeadKernelError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # nbclient takes being cancelled (Ctrl-C, say) for the kernel's death
                raise asyncio.CancelledError from None
            raise _KernelLostError(index, "leave its kernel alive", "a dead kernel") from None
        for output in cell.outputs:
            if output.output_type == "error":
                # the traceback holds colours and this machine's paths; nothing compares it
                output.traceback = [f"{output.ename}: {output.evalue}"]
        _check_outputs(source, index, cell, root)
    _drop_finished_bars(client)
    client.set_widgets_metadata()


async def _keep_receiving(kernel: KernelClient) -> None:
    """Make waiting sockets look again, so that no reply is overlooked.

    When a cell's output goes through an Output widget (``interact``), nbclient sends on the same
    socket on which it waits for the reply. Sending can use up the one notice that zmq gives of an
    incoming message, and then the reply lies there unseen until the timeout. Asking a pyzmq socket
    for its events makes it deliver whatever has arrived.
    """
    while True:
        await asyncio.sleep(0.2)
        for channel in (kernel.shell_channel, kernel.iopub_channel):
            channel.socket.get(zmq.EVENTS)


def _kernel_environment(root: Path) -> dict[str, str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GM_COURSE_") and name != "MPLBACKEND"
    }
    paths = [str(root), environment.get("PYTHONPATH", "")]
    return {
        **environment,
        "GM_COURSE_DEVICE": "cpu",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def _check_outputs(source: Source, index: int, cell: NotebookNode, root: Path) -> None:
    tags = cell.metadata.get("tags", [])
    if RAISES in tags and not any(output.output_type == "error" for output in cell.outputs):
        raise source.error(index, f"raise, as its tag {RAISES} says", "no error", "Remove the tag.")
    if IGNORE_OUTPUT in tags:
        return
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            raise source.error(
                index,
                "write nothing to stderr",
                repr(_one_line(output.text)),
                "Remove the cause of the warning, or print to stdout.",
            )
        text = _text_of(output)
        address = _ADDRESS.search(text)
        if address:
            raise source.error(
                index,
                "show no memory address, which differs from run to run",
                address[0],
                "Assign the value to _, or print a property of it.",
            )
        if str(root) in text:
            raise source.error(
                index,
                "show no path of this machine",
                str(root),
                "Print the path relative to the notebook.",
            )


def _text_of(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return str(output.evalue)
    return "\n".join(value for kind, value in output.data.items() if kind.startswith("text/"))


def _drop_finished_bars(client: NotebookClient) -> None:
    """Remove outputs that are nothing but a widget, and the widgets that no output shows then.

    An explorer comes with a plain-text twin; a progress bar has none, because it is gone when its
    cell is done, and what it last said (speed, time) differs from run to run.
    """
    shown: list[str] = []
    for cell in client.nb.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [o for o in cell.outputs if set(o.get("data", {})) != {WIDGET_VIEW}]
        for output in cell.outputs:
            if WIDGET_VIEW in output.get("data", {}):
                shown.append(output.data[WIDGET_VIEW]["model_id"])
    needed: set[str] = set()
    while shown:
        widget_id = shown.pop()
        if widget_id in client.widget_state and widget_id not in needed:
            needed.add(widget_id)
            shown += _MODEL.findall(json.dumps(client.widget_state[widget_id], default=str))
    client.widget_state = {i: state for i, state in client.widget_state.items() if i in needed}


def _renumber_widgets(client: NotebookClient) -> NotebookNode:
    """Replace the widgets' random ids by their order of creation, wherever they are cited."""
    text = nbformat.writes(client.nb)
    for number, widget_id in enumerate(client.widget_state):
        text = text.replace(widget_id, f"{number:032x}")
    renumbered: NotebookNode = nbformat.reads(text, as_version=4)
    return renumbered


def _one_line(text: str) -> str:
    line = " ".join(_ANSI.sub("", text).split())
    return line if len(line) <= 300 else f"{line[:300]} …"
