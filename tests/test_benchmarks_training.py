"""The speed benchmark: its two ways do the same work, and the course's is the quicker one."""

import json
import math

import pytest
import torch

from benchmarks.training import __main__ as program
from benchmarks.training import limit, measures, usual_way
from benchmarks.training.course_way import dcgan_trainer, vae_trainer
from benchmarks.training.digits import write_for_torchvision
from benchmarks.training.rounds import Way, median_ratio, milliseconds_per_step
from benchmarks.training.tables import tables, vae_speed_up

CPU = torch.device("cpu")


def few_digits() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (256, 28, 28), dtype=torch.uint8, generator=generator)
    return images, torch.arange(256) % 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits")
    write_for_torchvision(path, *few_digits())
    return path


def weights(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_torchvision_reads_back_what_was_written(folder):
    images, labels = few_digits()
    dataset = usual_way.datasets.MNIST(str(folder), train=True)
    assert torch.equal(dataset.data, images)
    assert torch.equal(dataset.targets, labels)


def test_both_ways_train_networks_of_the_same_size():
    vae = vae_trainer(few_digits()[0], 128, device=CPU).players["vae"].module
    assert weights(vae) == weights(usual_way.UsualVAE()) == 784 * 400 * 2 + 400 * 60 + 400 * 2 + 824

    players = dcgan_trainer(few_digits()[0][:8], 4, 16, device=CPU).players
    ours = {name: weights(player.module) for name, player in players.items()}
    # The ends differ by their offsets: one per picture channel, and D's 16 channels and its logit.
    assert ours["generator"] == weights(usual_way.generator_network(16)) + 1
    assert ours["discriminator"] == weights(usual_way.discriminator_network(16)) + 16 + 1


def test_the_limit_multiplies_what_a_training_step_multiplies():
    from torch.utils.flop_counter import FlopCounterMode

    trainer = vae_trainer(few_digits()[0], 128, device=CPU)
    with FlopCounterMode(display=False) as of_a_step:
        trainer.run(1, show_progress=False)
    with FlopCounterMode(display=False) as of_the_limit:
        limit.vae_products(128, device=CPU)()
    assert of_the_limit.get_total_flops() == of_a_step.get_total_flops()


def test_the_convolutions_are_those_of_an_iteration_with_one_batch_of_images():
    from torch.utils.flop_counter import FlopCounterMode

    images, batch, width = few_digits()[0][:8], 4, 16
    trainer = dcgan_trainer(images, batch, width, device=CPU)
    with FlopCounterMode(display=False) as of_a_step:
        trainer.run(1, show_progress=False)
    generator = trainer.players["generator"].module
    with FlopCounterMode(display=False) as of_sampling, torch.no_grad():
        generator(torch.randn(batch, 100))
    with FlopCounterMode(display=False) as of_the_limit:
        limit.dcgan_convolutions(batch, width, device=CPU)()
    # The course draws a second batch for the generator's step, as Algorithm 13.1 has it.
    expected = of_a_step.get_total_flops() - of_sampling.get_total_flops()
    assert of_the_limit.get_total_flops() == pytest.approx(expected, rel=0.01)


def test_the_course_is_quicker_than_the_usual_way(folder):
    # Guards what makes the course quick. The stored ratio is about three with one thread; a
    # DataLoader or a loss that converts picture by picture would bring it to one.
    images, _ = few_digits()
    usual = measures.taking(usual_way.train_vae(folder, 128, CPU))
    trainer = vae_trainer(images, 128, device=CPU)
    ways = {
        "usual": Way(usual, steps=6, threads=1),
        "course": Way(measures.going_on(trainer), steps=6, threads=1),
    }
    times = milliseconds_per_step(ways, rounds=11)
    assert median_ratio(times["usual"], times["course"]) > 1.5


def test_rounds_take_turns_and_put_the_threads_back():
    turns = []
    before = torch.get_num_threads()

    def way(name, threads):
        return Way(lambda n: turns.append((name, n, torch.get_num_threads())), 5, threads, 9, 2)

    times = milliseconds_per_step({"a": way("a", 1), "b": way("b", 2)}, rounds=2)
    a_turn = [("a", 2, 1), ("a", 5, 1), ("b", 2, 2), ("b", 5, 2)]
    assert turns == [("a", 9, 1), ("b", 9, 2), *a_turn, *a_turn]
    assert [len(t) for t in times.values()] == [2, 2]
    assert torch.get_num_threads() == before
    assert median_ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == 2.0


def test_tables_say_what_was_measured():
    def times(**ms):
        return {name.replace("_", " "): [value] * 3 for name, value in ms.items()}

    stored = {
        "machine": {"date": "2026-01-01", "processor": "a processor", "torch": "9"},
        "device": "cpu",
        "threads": 2,
        "digits": "some digits",
        "vae": times(
            usual=20.0,
            course_1=5.0,
            rough_1=4.0,
            limit_1=4.0,
            course_2=3.0,
            rough_2=2.5,
            limit_2=2.0,
        ),
        "by_threads": {"quiet": {"1": [5.0], "2": [3.0]}, "busy": {"1": [9.0], "2": [40.0]}},
        "by_size": {"5,000": [5.0], "60,000": [5.5]},
        "memory": {"mib": 300.0, "epochs": 30, "growth_mib": 0.5},
        "first_step": [3.0],
        "dcgan": times(usual=2000.0, course=1900.0, bfloat16=1000.0, limit=1500.0),
    }
    text = tables(stored)
    for row in (
        "| usual way | 2 | 20.00 | 1 | |",
        "| course | 1 | 5.00 | 4.0 | 1.25 |",
        "| course, products in bfloat16 | 2 | 2.50 | 8.0 | 1.25 |",
        "| matrix products alone, float32 | 2 | 2.00 | 10.0 | 1 |",
        "| course, bfloat16 | 1000 | 2.00 | 0.67 |",
        "| 2 threads | 3.00 | 40.00 |",
        "| step on 60,000 images, over one on 5,000 | 1.10 | 1 |",
        "| growth of memory over 30 epochs | 0.5 MiB of 300 | 0 |",
    ):
        assert row in text.splitlines(), row
    assert vae_speed_up(stored["vae"], "course 1") == 4.0


def test_the_whole_benchmark_runs_and_writes(tmp_path, monkeypatch, capsys):
    images, labels = few_digits()
    monkeypatch.setattr(program, "digits", lambda: (images, labels, "noise"))
    monkeypatch.setattr(measures, "DCGAN_WIDTH", 2)
    # Beside other work, threads that wait for each other would take minutes.
    monkeypatch.setattr(program, "_available_cores", lambda: 1)
    arguments = ["--quick", "--rounds", "1", "--device", "cpu", "--results", str(tmp_path)]
    assert program.main(arguments) == 0
    stored = json.loads((tmp_path / "training.json").read_text())
    assert all(math.isfinite(ms) for way in stored["vae"].values() for ms in way)
    assert (tmp_path / "training.md").read_text() == capsys.readouterr().out


def test_wrong_usage(tmp_path):
    with pytest.raises(SystemExit) as end:
        program.main(["--rounds", "0", "--results", str(tmp_path)])
    assert end.value.code == 2
    assert not list(tmp_path.iterdir())
