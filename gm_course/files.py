"""Writing files that are never half written."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path


def replace_file(path: Path, parts: Iterable[bytes], *, mode: int = 0o666) -> None:
    """Write a file so that ``path`` always holds either the old content or the new one.

    Args:
        path: Target; its folder must exist. Where it is a link, the link's target is replaced.
        parts: The new content.
        mode: Permissions of a new file, less the caller's umask; an old file's are kept.

    Raises:
        OSError: If it cannot be written; the old content is then untouched.
    """
    target = path.resolve()
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
