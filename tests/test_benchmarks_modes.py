"""The modes benchmark: every method runs, the tables say what was measured."""

import json

import pytest
import torch

from benchmarks import modes


@pytest.fixture(autouse=True)
def _few_updates(monkeypatch):
    monkeypatch.setattr(modes, "UPDATES", 24)


def test_every_method_trains_and_repeats_itself():
    for name, method in modes.METHODS.items():
        first, second = (modes.train(method, modes.ring(), seed=3) for _ in range(2))
        for p, q in zip(first.parameters(), second.parameters(), strict=True):
            assert torch.equal(p, q), name


@pytest.mark.parametrize(("name", "rate"), [("course", 3e-5), ("clip", 1e-5)])
def test_the_rate_falls_to_a_hundredth_and_clipping_goes_on(monkeypatch, name, rate):
    players = []
    run = modes.Trainer.run

    def spy(trainer, *arguments, **options):
        players.extend(trainer.players.values())
        return run(trainer, *arguments, **options)

    monkeypatch.setattr(modes.Trainer, "run", spy)
    modes.train(modes.METHODS[name], modes.ring(), seed=0)
    rates = [player.optimiser.param_groups[0]["lr"] for player in players]
    assert rates == [pytest.approx(rate)] * 2
    largest = max(p.abs().max().item() for p in players[0].module.parameters())
    assert (largest < 0.1 + 1e-6) == (name == "clip")  # 0.1 in float32


def test_results_are_written_and_others_kept(tmp_path, capsys):
    assert modes.main(["gan", "--seeds", "2", "--results", str(tmp_path)]) == 0
    assert modes.main(["clip", "--seeds", "1", "--results", str(tmp_path)]) == 0
    stored = json.loads((tmp_path / "modes.json").read_text())
    assert list(stored) == ["gan", "clip"]
    assert [len(stored["gan"]["runs"][target]) for target in ("ring", "grid")] == [2, 2]
    table = (tmp_path / "modes.md").read_text()
    assert "| GAN, non-saturating, K = 5 | 2 | " in table
    assert table in capsys.readouterr().out


def test_stored_seeds_are_kept_and_only_the_missing_ones_run(tmp_path, monkeypatch):
    arguments = ["gan", "--results", str(tmp_path), "--seeds"]
    assert modes.main([*arguments, "1"]) == 0
    first = json.loads((tmp_path / "modes.json").read_text())["gan"]["runs"]
    run = []
    measure = modes.measure
    monkeypatch.setattr(modes, "measure", lambda *what: run.append(what) or measure(*what))
    assert modes.main([*arguments, "2"]) == 0
    assert run == [("gan", "ring", 1), ("gan", "grid", 1)]
    second = json.loads((tmp_path / "modes.json").read_text())["gan"]["runs"]
    assert all(second[target][:1] == first[target] for target in ("ring", "grid"))
    run.clear()
    assert modes.main([*arguments, "1", "--fresh"]) == 0
    assert run == [("gan", "ring", 0), ("gan", "grid", 0)]


def test_mean_and_spread():
    runs = [{"modes": m, "high_quality": q, "cpu_seconds": 10} for m, q in ((8, 0.9), (6, 0.8))]
    table = modes.tables({"gan": {"runs": {"ring": runs, "grid": runs}}})
    # the standard deviation of 8 and 6, with n - 1, is √2
    assert (
        "| GAN, non-saturating, K = 5 | 2 | 7.0 ± 1.4 | 6 | 85.0 ± 7.1 % | 80.0 % | 10 |" in table
    )


@pytest.mark.parametrize("arguments", [["gam"], ["--seeds", "0"]])
def test_wrong_usage(arguments, tmp_path):
    with pytest.raises(SystemExit) as end:
        modes.main([*arguments, "--results", str(tmp_path)])
    assert end.value.code == 2
    assert not list(tmp_path.iterdir())


def test_every_method_is_stored_with_ten_seeds():
    stored = json.loads((modes.RESULTS / "modes.json").read_text())
    assert list(stored) == list(modes.METHODS)
    runs = [entry["runs"][target] for entry in stored.values() for target in modes.TARGETS]
    assert all(len(seeds) == 10 for seeds in runs)
