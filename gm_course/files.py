"""Where paths lead, and writing files that are never half written."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path


def real_path(path: Path) -> Path:
    """Return the absolute path without links that a path leads to; it need not exist.

    Raises:
        OSError: If links lead in a circle, which ``Path.resolve`` reports as another error before
            Python 3.13 and not at all from then on.
    """
    circle = OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    try:
        target = path.resolve()
    except RuntimeError:
        raise circle from None
    if target.is_symlink():
        raise circle
    return target


def replace_file(path: Path, parts: Iterable[bytes], *, mode: int = 0o666) -> None:
    """Write a file so that ``path`` always holds either the old content or the new one.

    Args:
        path: Target; its folder must exist. Where it is a link, the link's target is replaced.
        parts: The new content.
        mode: Permissions of a new file, less the caller's umask; an old file's are kept.

    Raises:
        OSError: If it cannot be written; the old content is then untouched.
    """
    target = real_path(path)
    # Not derived from the target's name, which may be as long as a name can be.
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            if target.exists():
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:  # Ctrl-C, too
        partial.unlink(missing_ok=True)
        raise
