"""The training loop: it learns, stops cleanly, and resumes to the very same bits."""

import copy
import os
import signal
import threading

import pytest
import torch
from torch import nn

from gm_course.data import Batches
from gm_course.errors import ArgumentError, CheckpointError, NonFiniteLossError
from gm_course.training import History, Player, Trainer

STEPS = 12


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def game_trainer(*, width: int = 8, optimiser=torch.optim.Adam, size: int = 40) -> Trainer:
    """A small GAN-like game that uses everything a checkpoint must hold.

    Two players of different K, batch normalisation (buffers), dropout (torch's global generator),
    noise from the trainer's generator, an optimiser with state, and clipping after the step.
    """
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.ReLU())
    generator.append(nn.Linear(width, 2))
    critic = nn.Sequential(nn.Linear(2, width), nn.Dropout(0.3), nn.ReLU(), nn.Linear(width, 1))

    def samples(batch, random):
        return generator(torch.randn(len(batch), 3, generator=random))

    def critic_loss(batch, random):
        fake = samples(batch, random).detach()
        return {"loss": critic(fake).mean() - critic(batch).mean()}

    def generator_loss(batch, random):
        fake = samples(batch, random)
        return {"loss": -critic(fake).mean(), "spread": fake.std()}

    def clip(module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.clamp_(-0.1, 0.1)

    players = {
        "critic": Player(
            critic, optimiser(critic.parameters(), lr=0.01), critic_loss, repeats=3, after_step=clip
        ),
        "generator": Player(
            generator, torch.optim.RMSprop(generator.parameters(), lr=0.01), generator_loss
        ),
    }
    data = torch.randn(size, 2, generator=seeded(1))
    return Trainer(players, Batches(data, 16, generator=seeded(2)), generator=seeded(3))


def line_trainer(loss=None, *, weight: float = 0.0) -> Trainer:
    """One weight that learns the slope 3."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, weight)

    def squared_error(batch, _random):
        return {"loss": (model(batch) - 3 * batch).square().mean()}

    player = Player(
        model, torch.optim.SGD(model.parameters(), lr=0.5), loss(model) if loss else squared_error
    )
    data = torch.linspace(-1, 1, 32)[:, None]
    return Trainer({"line": player}, Batches(data, 8, generator=seeded(0)), generator=seeded(1))


def bits(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, player in trainer.players.items()
        for key, value in player.module.state_dict().items()
    }


def assert_same_bits(one: Trainer, other: Trainer) -> None:
    first, second = bits(one), bits(other)
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key]), key
    assert one.step == other.step
    assert one.history.values == other.history.values


@pytest.fixture(scope="module")
def uninterrupted() -> Trainer:
    trainer = game_trainer()
    trainer.run(STEPS, show_progress=False)
    return trainer


# --- learning and recording ---------------------------------------------------------------------


def test_matches_a_loop_written_out_by_hand():
    trainer = line_trainer()
    trainer.run(20, show_progress=False)

    # The same gradient descent by its formula, on the same batches.
    batches = Batches(torch.linspace(-1, 1, 32)[:, None], 8, generator=seeded(0))
    weight, losses = torch.zeros(()), []
    for _ in range(20):
        batch = batches.next_batch()
        losses.append(((weight - 3) ** 2 * batch.square().mean()).item())
        weight = weight - 0.5 * 2 * (weight - 3) * batch.square().mean()
    # Twenty float32 steps, each with a few roundings of values of order 1 to 10.
    assert trainer.players["line"].module.weight.item() == pytest.approx(weight.item(), abs=1e-5)
    assert trainer.history["line"]["loss"].tolist() == pytest.approx(losses, rel=1e-5, abs=1e-5)


def test_player_with_repeats_moves_k_times_per_iteration():
    trainer = game_trainer()
    calls = []
    for name, player in trainer.players.items():
        inner = player.loss

        def counted(batch, random, inner=inner, name=name):
            calls.append(name)
            return inner(batch, random)

        player.loss = counted
    trainer.run(2, show_progress=False)
    assert calls == ["critic", "critic", "critic", "generator"] * 2


def test_after_step_sees_the_updated_weights(uninterrupted):
    critic = uninterrupted.players["critic"].module
    assert all(p.abs().max() <= 0.1 for p in critic.parameters())


def test_history_has_one_value_per_iteration_player_and_term(uninterrupted):
    history = uninterrupted.history
    assert set(history.values) == {"critic", "generator"}
    assert set(history["generator"]) == {"loss", "spread"}
    assert history["generator"]["spread"].shape == (STEPS,)
    assert history["critic"]["loss"].dtype == torch.float64


def test_last_names_terms_by_player_only_where_needed():
    assert History({"vae": {"kl": [1.0, 2.0]}}).last() == {"kl": 2.0}
    both = History({"critic": {"loss": [1.0]}, "generator": {"loss": [3.0]}})
    assert both.last() == {"critic loss": 1.0, "generator loss": 3.0}


def test_steps_are_a_total_and_zero_does_nothing():
    trainer = line_trainer()
    before = bits(trainer)
    assert trainer.run(0, show_progress=False).values == {}
    assert all(torch.equal(before[k], v) for k, v in bits(trainer).items())
    trainer.run(3, show_progress=False)
    trainer.run(3, show_progress=False)
    assert trainer.step == 3


def test_modes_and_thread_count_are_given_back():
    trainer = line_trainer()
    model = trainer.players["line"].module.eval()
    seen = []
    inner = trainer.players["line"].loss

    def watched(batch, random):
        seen.append((model.training, torch.get_num_threads()))
        return inner(batch, random)

    trainer.players["line"].loss = watched
    before = torch.get_num_threads()
    trainer.run(1, threads=before + 1, show_progress=False)
    assert seen == [(True, before + 1)]
    assert not model.training
    assert torch.get_num_threads() == before


def test_rough_products_and_flushed_denormals_hold_during_the_run_only():
    trainer = line_trainer()
    seen = []
    inner = trainer.players["line"].loss

    def spy(batch, random):
        seen.append((torch.get_float32_matmul_precision(), (torch.full((1,), 1e-38) / 99).item()))
        return inner(batch, random)

    trainer.players["line"].loss = spy
    trainer.run(1, show_progress=False)
    trainer.rough = True
    trainer.run(2, show_progress=False)
    usual = torch.get_float32_matmul_precision()
    assert [precision for precision, _ in seen] == [usual, "medium"]
    if torch.set_flush_denormal(False):  # as far as this processor can
        assert [quotient for _, quotient in seen] == [0.0, 0.0]
    assert (torch.full((1,), 1e-38) / 99).item() > 0


def test_losses_are_recorded_at_every_step_in_batches_and_before_an_error():
    trainer = line_trainer()
    inner = trainer.players["line"].loss

    def failing(batch, random):
        if trainer.step == 60:
            raise KeyError("the loss's own mistake")
        return inner(batch, random)

    trainer.players["line"].loss = failing
    with pytest.raises(KeyError):
        trainer.run(100, show_progress=False)
    assert trainer.step == 60
    assert len(trainer.history["line"]["loss"]) == 60


def test_autocast_runs_the_loss_in_bfloat16():
    seen = []

    def loss(model):
        def inner(batch, _random):
            output = model(batch)
            seen.append(output.dtype)
            return {"loss": (output.float() - 3 * batch).square().mean()}

        return inner

    single = line_trainer(loss)
    mixed = Trainer(
        single.players, single.batches, generator=single.generator, autocast=torch.bfloat16
    )
    mixed.run(1, show_progress=False)
    assert seen == [torch.bfloat16]
    assert mixed.players["line"].module.weight.dtype == torch.float32


# --- resuming -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", range(STEPS + 1))
def test_resume_at_any_step_gives_the_same_bits(tmp_path, uninterrupted, stop):
    path = tmp_path / "run.pt"
    first = game_trainer()
    first.run(stop, checkpoint=path, show_progress=False)

    second = game_trainer()
    second.run(5, show_progress=False)  # a different state, all of which loading must replace
    torch.manual_seed(99)
    second.load(path)
    assert second.step == stop
    second.run(STEPS, show_progress=False)
    assert_same_bits(second, uninterrupted)


def test_periodic_saves_do_not_change_the_run(tmp_path, uninterrupted):
    trainer = game_trainer()
    trainer.run(STEPS, checkpoint=tmp_path / "run.pt", save_every=5, show_progress=False)
    assert_same_bits(trainer, uninterrupted)


@pytest.mark.parametrize("stop", [1, 4, STEPS - 1])
def test_interrupt_in_mid_step_keeps_everything(tmp_path, capsys, uninterrupted, stop):
    path = tmp_path / "run.pt"
    trainer = game_trainer()
    player = trainer.players["generator"]
    inner = player.loss

    def interrupting(batch, random):
        if trainer.step == stop - 1:
            os.kill(os.getpid(), signal.SIGINT)  # arrives in the middle of the iteration
        return inner(batch, random)

    player.loss = interrupting
    trainer.run(STEPS, checkpoint=path, show_progress=False)
    assert trainer.step == stop
    assert f"Interrupted after step {stop} of {STEPS}; what was trained is kept." in (
        capsys.readouterr().out
    )

    player.loss = inner
    resumed = game_trainer()
    resumed.load(path)
    for run in (trainer, resumed):
        # Each run needs torch's global state of the moment of the interruption.
        run.load(path)
        run.run(STEPS, show_progress=False)
        assert_same_bits(run, uninterrupted)


def test_second_interrupt_stops_at_once_and_the_handler_is_given_back():
    trainer = line_trainer()
    before = signal.getsignal(signal.SIGINT)

    def impatient(_batch, _random):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second interrupt must not get this far")

    trainer.players["line"].loss = impatient
    with pytest.raises(KeyboardInterrupt):
        trainer.run(5, show_progress=False)
    assert signal.getsignal(signal.SIGINT) is before


def test_trains_outside_the_main_thread():
    trainer = line_trainer()
    thread = threading.Thread(target=lambda: trainer.run(3, show_progress=False))
    thread.start()
    thread.join()
    assert trainer.step == 3


# --- refusing checkpoints -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (
            lambda: game_trainer(width=9),
            "0.weight is (8, 2) torch.float32 in the file and (9, 2) torch.float32 here",
        ),
        (
            lambda: game_trainer(optimiser=torch.optim.SGD),
            "critic: optimiser is Adam in the file and SGD here",
        ),
        (line_trainer, "'critic' is in the file but not here"),
        (lambda: game_trainer(size=41), "size"),
    ],
    ids=["wider network", "other optimiser", "other players", "other data"],
)
def test_checkpoint_of_another_run_is_refused_and_changes_nothing(tmp_path, other, reason):
    path = tmp_path / "run.pt"
    game_trainer().run(2, checkpoint=path, show_progress=False)
    trainer = other()
    trainer.run(1, show_progress=False)
    before, history = bits(trainer), copy.deepcopy(trainer.history.values)
    random = trainer.generator.get_state(), trainer.batches.state_dict()
    with pytest.raises(CheckpointError) as refusal:
        trainer.load(path)
    assert reason in str(refusal.value)
    assert all(torch.equal(before[k], v) for k, v in bits(trainer).items())
    assert trainer.history.values == history
    assert trainer.step == 1
    assert torch.equal(trainer.generator.get_state(), random[0])
    assert torch.equal(trainer.batches.state_dict()["order"], random[1]["order"])


def test_checkpoint_of_another_format_is_refused(tmp_path):
    torch.save({"format": 99}, tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="checkpoint format 99"):
        line_trainer().load(tmp_path / "run.pt")


# --- losses that go wrong -----------------------------------------------------------------------


def test_nan_loss_names_step_and_last_finite_value_and_spares_the_weights():
    trainer = line_trainer()
    inner = trainer.players["line"].loss

    def poisoned(batch, random):
        terms = inner(batch, random)
        return {"loss": terms["loss"] * (float("nan") if trainer.step == 4 else 1.0)}

    trainer.players["line"].loss = poisoned
    with pytest.raises(NonFiniteLossError) as failure:
        trainer.run(10, show_progress=False)
    last = trainer.history["line"]["loss"][-1].item()
    assert "'line' loss must stay finite; got nan at step 5" in str(failure.value)
    assert f"last finite value: {last:.6g}" in str(failure.value)
    assert trainer.step == 4
    reference = line_trainer()
    reference.run(4, show_progress=False)
    assert_same_bits(trainer, reference)


def test_infinite_secondary_term_is_named():
    trainer = line_trainer()
    inner = trainer.players["line"].loss
    trainer.players["line"].loss = lambda batch, random: {
        **inner(batch, random),
        "kl": torch.tensor(float("inf")),
    }
    with pytest.raises(NonFiniteLossError, match=r"'line' kl .* inf at step 1 .*value: none"):
        trainer.run(10, show_progress=False)


@pytest.mark.parametrize(
    ("terms", "described"),
    [
        (torch.ones(()), "a Tensor"),
        ({"objective": torch.ones(())}, "'objective': shape ()"),
        ({"loss": torch.ones(3)}, "'loss': shape (3,)"),
        ({"loss": 1.0}, "'loss': float"),
        (None, "a NoneType"),
    ],
)
def test_malformed_loss_is_refused_with_what_came_back(terms, described):
    trainer = line_trainer()
    trainer.players["line"].loss = lambda _batch, _random: terms
    with pytest.raises(ArgumentError) as refusal:
        trainer.run(1, show_progress=False)
    assert "must return a dict of scalar tensors with the key 'loss'" in str(refusal.value)
    assert described in str(refusal.value)


# --- bad arguments ------------------------------------------------------------------------------


def test_bad_arguments_are_refused():
    trainer = line_trainer()
    with pytest.raises(ArgumentError, match="steps must be a whole number of at least 0; got -1"):
        trainer.run(-1)
    with pytest.raises(ArgumentError, match="save_every needs a checkpoint path"):
        trainer.run(1, save_every=1)
    with pytest.raises(
        ArgumentError, match="run: threads must be a whole number of at least 1; got 0"
    ):
        trainer.run(1, threads=0)
    with pytest.raises(ArgumentError, match="at least one player"):
        Trainer({}, trainer.batches, generator=trainer.generator)
    with pytest.raises(ArgumentError, match="float16 would need loss scaling"):
        Trainer(
            trainer.players, trainer.batches, generator=trainer.generator, autocast=torch.float16
        )
    trainer.players["line"].repeats = 0
    with pytest.raises(ArgumentError, match="repeats must be a whole number of at least 1"):
        Trainer(trainer.players, trainer.batches, generator=trainer.generator)
