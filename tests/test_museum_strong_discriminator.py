"""The strong discriminator: the switch does what it says, and the signal tells the settings apart.

The full training is run by the lecture; here the head start is cut where a test trains.
"""

import pytest
import torch

from gm_course.errors import ArgumentError
from gm_course.gan import nonsaturating_loss, saturating_loss
from gm_course.museum import strong_discriminator
from gm_course.museum.strong_discriminator import EXHIBIT, MATCHES, Match, run

CPU = torch.device("cpu")


def test_the_settings_are_those_of_the_switch_and_the_first_is_balanced():
    assert EXHIBIT.settings == ("healthy", "too strong", "too strong, non-saturating")
    assert EXHIBIT.name == "strong-discriminator"
    healthy, strong, rescued = (MATCHES[setting] for setting in EXHIBIT.settings)
    assert healthy.head_start == 0
    assert healthy.steps < strong.steps
    # One thing at a time: the last two differ in the generator's loss only.
    assert (strong.head_start, strong.steps) == (rescued.head_start, rescued.steps)
    assert strong.generator_loss is saturating_loss
    assert rescued.generator_loss is nonsaturating_loss


def test_an_unknown_setting_names_the_known_ones():
    with pytest.raises(ArgumentError) as caught:
        run("weak", 0, CPU)
    assert str(caught.value) == (
        "strong_discriminator.run: setting must be one of 'healthy', 'too strong', "
        "'too strong, non-saturating'; got 'weak'. Copy one of them."
    )


def test_a_run_repeats_and_leaves_the_global_random_state_alone():
    state = torch.get_rng_state()
    first = run("healthy", 3, CPU, iterations=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)  # must not matter
    second = run("healthy", 3, CPU, iterations=3)
    other = run("healthy", 4, CPU, iterations=3)
    assert first.signal == second.signal != other.signal
    assert first.model.gradient_norms.shape == (3,)
    assert first.signal == first.model.gradient_norms.median()


def test_a_head_start_takes_the_gradient_away_and_the_other_loss_keeps_it(monkeypatch):
    short = {
        "healthy": MATCHES["healthy"],
        "too strong": Match(300, 5, saturating_loss),
        "too strong, non-saturating": Match(300, 5, nonsaturating_loss),
    }
    monkeypatch.setattr(strong_discriminator, "MATCHES", short)
    signal = {setting: run(setting, 0, CPU, iterations=10).signal for setting in short}
    # A third of the exhibit's head start already costs three orders of magnitude and more.
    assert signal["too strong"] < 1e-3 * signal["healthy"]
    assert signal["too strong, non-saturating"] > signal["healthy"]


def test_without_the_head_start_the_signal_does_not_fade(monkeypatch):
    # The killer: were it only K = 10 that weakens the gradient, the exhibit's story were wrong.
    monkeypatch.setattr(
        strong_discriminator, "MATCHES", {"too strong": Match(0, 10, saturating_loss)}
    )
    assert run("too strong", 0, CPU, iterations=20).signal > 0.1
