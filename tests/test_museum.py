"""The failure museum's stored ranges, and the benchmark that measures them."""

import json

import pytest
import torch

from benchmarks import failure_museum
from gm_course.errors import DataError
from gm_course.museum.exhibit import Exhibit, Outcome, Range, read_ranges
from tests.grading.submissions import ROOT

STORED = ROOT / "benchmarks" / "results" / "failure_museum.json"


def run(setting, seed, device):
    assert device == torch.device("cpu")
    return Outcome(signal=seed + (100.0 if setting == "broken" else 0.0), model=None)


EXHIBIT = Exhibit("mode-collapse", "counts", ("healthy", "broken"), run)


def test_measured_ranges_are_read_back_and_others_are_kept(tmp_path, monkeypatch, capsys):
    file = tmp_path / "failure_museum.json"
    file.write_text(json.dumps({"exhibits": {"clipping": {"signal": "s", "settings": {}}}}))
    monkeypatch.setattr(failure_museum, "load_exhibit", lambda name: EXHIBIT)
    assert failure_museum.main(["mode-collapse", "--results", str(tmp_path)]) == 0
    ranges = read_ranges(file, EXHIBIT)
    assert ranges == {"healthy": Range(0.0, 4.0, 5), "broken": Range(100.0, 104.0, 5)}
    assert str(ranges["healthy"]) == "0 to 4 over 5 seeds"
    stored = json.loads(file.read_text())["exhibits"]
    assert list(stored) == ["mode-collapse", "clipping"]
    assert stored["clipping"] == {"signal": "s", "settings": {}}
    line = "| mode-collapse | counts | broken | 5 | 100 | 102 | 104 |"
    assert line in (tmp_path / "failure_museum.md").read_text().splitlines()
    assert line in capsys.readouterr().out.splitlines()


def test_an_unknown_exhibit_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        failure_museum.main(["collapse", "--results", str(tmp_path)])
    assert end.value.code == 2
    assert "no such exhibit: collapse; there are posterior-collapse" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (None, "FileNotFoundError: "),
        ("{", "JSONDecodeError: "),
        ('{"exhibits": {}}', "KeyError: 'mode-collapse'"),
        ('{"exhibits": {"mode-collapse": {"settings": {}}}}', "KeyError: 'healthy'"),
    ],
)
def test_a_missing_or_damaged_file(tmp_path, content, got):
    file = tmp_path / "ranges.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError) as caught:
        read_ranges(file, EXHIBIT)
    text = str(caught.value)
    assert text.startswith(f"read_ranges: {file} must hold the ranges of mode-collapse; got {got}")
    assert text.endswith(
        "Restore the file, or measure them again with python -m benchmarks.failure_museum."
    )


@pytest.mark.parametrize("name", failure_museum.EXHIBITS)
def test_the_stored_ranges_belong_to_the_exhibit_and_tell_its_settings_apart(name):
    exhibit = failure_museum.load_exhibit(name)
    assert exhibit.name == name
    ranges = read_ranges(STORED, exhibit)
    assert all(stored.seeds == 5 for stored in ranges.values())
    entry = json.loads(STORED.read_text())["exhibits"][name]
    assert entry["signal"] == exhibit.signal
    healthy = ranges[exhibit.settings[0]]
    for setting in exhibit.settings[1:]:
        broken = ranges[setting]
        assert broken.high < healthy.low or broken.low > healthy.high
