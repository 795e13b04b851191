"""The exact versions of constraints.txt, and which of them this environment has."""

from importlib.metadata import PackageNotFoundError, version

from packaging.utils import canonicalize_name

from tests.notebook_files import ROOT


def pinned() -> dict[str, str]:
    """Version by canonical name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(name): pin for name, pin in pairs}


def installed(name: str) -> str | None:
    """The version installed, without the word for its kind of processor, or None."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


def is_pinned_environment() -> bool:
    """Whether no package is installed in another version than the pinned one."""
    return all(installed(name) in (pin, None) for name, pin in pinned().items())
