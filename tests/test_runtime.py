"""gm_course.setup: seeds, device, threads, profile."""

import random

import numpy as np
import pytest
import torch

import gm_course
from gm_course.errors import ArgumentError, DeviceError
from gm_course.runtime import pick_device


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in ("DEVICE", "PROFILE", "THREADS", "DATA"):
        monkeypatch.delenv(f"GM_COURSE_{name}", raising=False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002


def test_same_seed_same_numbers_everywhere_other_seed_others():
    gm_course.setup(seed=3)
    first = draws()
    gm_course.setup(seed=3)
    assert draws() == first
    gm_course.setup(seed=4)
    assert all(a != b for a, b in zip(first, draws(), strict=True))


def test_defaults(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    runtime = gm_course.setup()
    assert runtime == gm_course.Runtime(torch.device("cpu"), threads=1, profile="quick", seed=0)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("cuda", "mps", "request_", "device"),
    [
        (0, False, None, "cpu"),
        (0, False, "", "cpu"),
        (2, False, None, "cuda:0"),
        (2, True, "cuda", "cuda:0"),
        (2, False, "cuda:1", "cuda:1"),
        (0, True, None, "mps"),
        (1, True, "mps", "mps"),
        (1, True, "cpu", "cpu"),
    ],
)
def test_device_choice(monkeypatch, cuda, mps, request_, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device(request_) == torch.device(device)


@pytest.mark.parametrize("missing", ["cuda", "cuda:1", "mps", "gpu", "cuda:x"])
def test_missing_device_is_an_error_that_lists_what_is_there(monkeypatch, missing):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv("GM_COURSE_DEVICE", missing)
    with pytest.raises(DeviceError) as refusal:
        gm_course.setup()
    assert str(refusal.value) == (
        "setup: GM_COURSE_DEVICE must name a device of this machine (cpu); "
        f"got {missing!r}. Unset the variable to use cpu."
    )


def test_environment_chooses_profile_and_threads(monkeypatch):
    monkeypatch.setenv("GM_COURSE_PROFILE", "full")
    monkeypatch.setenv("GM_COURSE_THREADS", "2")
    runtime = gm_course.setup()
    assert (runtime.profile, runtime.threads, torch.get_num_threads()) == ("full", 2, 2)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PROFILE", "fast", "GM_COURSE_PROFILE must be one of quick, full; got 'fast'"),
        ("THREADS", "0", "GM_COURSE_THREADS must be a whole number of at least 1; got '0'"),
        ("THREADS", "many", "GM_COURSE_THREADS must be a whole number of at least 1; got 'many'"),
        ("THREADS", "²", "GM_COURSE_THREADS must be a whole number of at least 1; got '²'"),
    ],
)
def test_malformed_variable_changes_nothing(monkeypatch, name, value, message):
    monkeypatch.setenv(f"GM_COURSE_{name}", value)
    before = torch.get_rng_state()
    with pytest.raises(ArgumentError) as refusal:
        gm_course.setup(seed=123)
    assert message in str(refusal.value)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, None])
def test_malformed_seed(seed):
    with pytest.raises(ArgumentError, match=r"seed must be a whole number from 0 to 2\*\*32 - 1"):
        gm_course.setup(seed=seed)


def test_generators_repeat_by_stream_and_differ_between_streams():
    runtime = gm_course.setup(seed=5)
    first = torch.rand(4, generator=runtime.generator(1))
    torch.rand(10)  # draws from the global generator make no difference
    assert torch.equal(first, torch.rand(4, generator=runtime.generator(1)))
    assert not torch.equal(first, torch.rand(4, generator=runtime.generator(2)))
    other = gm_course.setup(seed=6)
    assert not torch.equal(first, torch.rand(4, generator=other.generator(1)))


@pytest.mark.parametrize(
    ("device", "dtype"),
    [("cpu", torch.float64), ("cuda:1", torch.float64), ("mps", torch.float32)],
)
def test_only_mps_has_to_do_without_float64(device, dtype):
    runtime = gm_course.Runtime(torch.device(device), threads=1, profile="quick", seed=0)
    assert runtime.precise_dtype == dtype


def test_largest_seed_and_stream_fit_a_generator():
    gm_course.setup(seed=2**32 - 1).generator(2**16 - 1)
