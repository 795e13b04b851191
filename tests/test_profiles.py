"""The table of profiles: complete, larger in every column where full, and the only place for it."""

import dataclasses
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import gm_course
from gm_course.cli import main
from gm_course.profiles import MOST_PASSES, PROFILES, Sizes

ROOT = Path(__file__).parent.parent
LECTURES = sorted((ROOT / "sources" / "lectures").glob("*.py"))
EXERCISES = sorted((ROOT / "sources" / "exercises").glob("*.py"))
FIELDS = [field.name for field in dataclasses.fields(Sizes)]

# Of these `full` has less: large networks and batches want smaller steps.
RATES = ("dcgan_rate_g", "dcgan_rate_d")


def code_of(source):
    """The code cells of a source: what is neither a marker nor Markdown."""
    return "".join(re.split(r"^# %%.*\n", cell)[-1] for cell in cells(source) if not is_prose(cell))


def cells(source):
    return re.split(r"^(?=# %%)", source.read_text(encoding="utf-8"), flags=re.MULTILINE)


def is_prose(cell):
    return cell.startswith("# %% [markdown]")


def test_the_profiles():
    assert list(PROFILES) == ["quick", "full"]


@pytest.mark.parametrize("field", sorted(set(FIELDS) - set(RATES)))
def test_full_is_never_smaller_than_quick(field):
    quick, full = (getattr(PROFILES[name], field) for name in ("quick", "full"))
    assert full > quick
    if isinstance(quick, tuple):
        assert len(full) == len(quick)


@pytest.mark.parametrize("field", RATES)
def test_full_learns_more_slowly(field):
    assert 0 < getattr(PROFILES["full"], field) < getattr(PROFILES["quick"], field)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        PROFILES["quick"] = PROFILES["full"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROFILES["quick"].vae_steps = 1


def test_every_number_of_the_table_is_used_by_a_lecture():
    code = "".join(code_of(source) for source in LECTURES)
    assert [field for field in FIELDS if not re.search(rf"sizes\.{field}\b", code)] == []


@pytest.mark.parametrize("source", [*LECTURES, *EXERCISES], ids=lambda path: path.stem)
def test_no_notebook_asks_which_profile_it_is(source):
    code = code_of(source)
    assert "runtime.profile" not in code
    assert not re.search(r"""["'](quick|full)["']""", code)


def test_the_quick_trainings_are_not_cut_short_on_the_digits_of_the_course():
    images, quick = 4_000, PROFILES["quick"]
    runs = {
        "vae": (quick.vae_steps, 128),
        "dcgan": (quick.dcgan_steps, quick.dcgan_batch_size),
        "contest": (quick.contest_updates, 64),
    }
    for name, (steps, batch_size) in runs.items():
        assert steps < MOST_PASSES * (images // batch_size), name


@pytest.mark.parametrize("name", PROFILES)
def test_runtime_hands_out_the_row_of_its_profile(monkeypatch, name):
    monkeypatch.setenv("GM_COURSE_PROFILE", name)
    runtime = gm_course.setup()
    assert runtime.profile == name
    assert runtime.sizes is PROFILES[name]


def digits_line(monkeypatch, profile, data=""):
    monkeypatch.setenv("GM_COURSE_PROFILE", profile)
    monkeypatch.setenv("GM_COURSE_DEVICE", "cpu")
    monkeypatch.setenv("GM_COURSE_DATA", str(data))
    result = CliRunner().invoke(main, ["info"])
    assert result.exit_code == 0
    return next(line for line in result.output.splitlines() if line.startswith("digits"))


def test_info_says_that_full_wants_the_full_mnist(monkeypatch):
    advice = "; set GM_COURSE_DATA to train longer, on the full MNIST"
    assert digits_line(monkeypatch, "full") == digits_line(monkeypatch, "quick") + advice


def test_info_asks_for_nothing_where_the_full_mnist_is(monkeypatch, tmp_path):
    header = bytes.fromhex("00000803 00000001 0000001c 0000001c")  # one image of 28 x 28
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(header + bytes(28 * 28))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(bytes.fromhex("00000801 00000001 07"))
    line = digits_line(monkeypatch, "full", tmp_path)
    assert line == digits_line(monkeypatch, "quick", tmp_path)
    assert line.endswith(str(tmp_path))
