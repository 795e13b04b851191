"""pyproject.toml (ranges), constraints.txt (exact versions) and environment.yml agree."""

import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.pins import installed, pinned

ROOT = Path(__file__).parent.parent

ASKED_FOR = ("jupyterlab", "torch", "torchvision", "matplotlib", "ipywidgets", "nbval", "numpy")


def read_project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def named(lines: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def declared() -> dict[str, Requirement]:
    """What `make setup` and conda install."""
    project = read_project()
    return named([*project["dependencies"], *project["optional-dependencies"]["dev"]])


def extra(name: str) -> dict[str, Requirement]:
    return named(read_project()["optional-dependencies"][name])


EXTRAS = [(name, one) for name in read_project()["optional-dependencies"] for one in extra(name)]


def conda_entries() -> tuple[list[str], list[str]]:
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    from_conda = [entry for entry in content["dependencies"] if isinstance(entry, str)]
    (from_pip,) = [entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict)]
    return from_conda, from_pip


@pytest.mark.parametrize("name", sorted(declared()))
def test_pin_lies_in_declared_range(name):
    assert pinned()[name] in declared()[name].specifier


@pytest.mark.parametrize(("extra_name", "name"), EXTRAS)
def test_pin_of_an_extra_lies_in_declared_range(extra_name, name):
    assert pinned()[name] in extra(extra_name)[name].specifier


@pytest.mark.parametrize("name", sorted(declared()))
def test_conda_installs_the_pinned_version(name):
    _, from_pip = conda_entries()
    assert f"{name}=={pinned()[name]}" in from_pip


def test_conda_installs_nothing_else_and_the_course_itself():
    from_conda, from_pip = conda_entries()
    expected = {f"{name}=={pinned()[name]}" for name in declared()}
    assert set(from_pip) == expected | {"--constraint constraints.txt", "--editable ."}
    assert {entry.partition(">")[0] for entry in from_conda} == {"python", "pip"}


def test_python_ranges_agree():
    from_conda, _ = conda_entries()
    (python,) = [Requirement(entry) for entry in from_conda if entry.startswith("python")]
    minimum = read_project()["requires-python"].removeprefix(">=")
    assert minimum in python.specifier
    assert f"3.{int(minimum.split('.')[1]) - 1}" not in python.specifier


def test_every_package_that_was_asked_for_is_declared():
    assert set(ASKED_FOR) <= set(declared())


@pytest.mark.parametrize("name", sorted(pinned()))
def test_pins_install_on_the_oldest_python_promised(name):
    # A pin that needs 3.11.5, say, would fail on Debian 12's Python 3.11.2.
    oldest = read_project()["requires-python"].removeprefix(">=") + ".0"
    if installed(name) != pinned()[name]:
        pytest.skip("the pinned version is not installed on this system")
    needs = metadata(name).get("Requires-Python")
    assert needs is None or oldest in SpecifierSet(needs)
