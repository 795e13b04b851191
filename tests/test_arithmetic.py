"""Threads, denormal numbers and the precision of products: set inside the block, and put back."""

import pytest
import torch

from gm_course.arithmetic import flushed_denormals, rough_products, thread_count

SUPPORTED = torch.set_flush_denormal(False)


def denormal_survives() -> bool:
    return (torch.full((1,), 1e-38) * 0.01).item() != 0


@pytest.mark.skipif(not SUPPORTED, reason="this processor cannot flush denormal numbers")
def test_denormals_become_zero_inside_the_block_only():
    assert denormal_survives()
    with flushed_denormals():
        assert not denormal_survives()
        with flushed_denormals():  # what is on already stays on at the inner end
            pass
        assert not denormal_survives()
    assert denormal_survives()


@pytest.mark.skipif(not SUPPORTED, reason="this processor cannot flush denormal numbers")
def test_denormals_come_back_after_an_error():
    with pytest.raises(KeyError), flushed_denormals():
        raise KeyError
    assert denormal_survives()


def test_normal_numbers_are_left_alone():
    smallest = torch.finfo(torch.float32).tiny
    with flushed_denormals():
        assert torch.full((1,), smallest).item() == smallest


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with thread_count(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with thread_count(None):
        assert torch.get_num_threads() == before


def test_precision_of_products_is_put_back():
    before = torch.get_float32_matmul_precision()
    with rough_products(False):
        assert torch.get_float32_matmul_precision() == before
    with rough_products(True):
        assert torch.get_float32_matmul_precision() == "medium"
        # A factor of 1 + 2^-9 may become 1: relative error 2^-9 each, 2^-8 and a little for both.
        x = torch.full((64, 64), 1 + 2**-9)
        assert ((x @ x) / 64 - (1 + 2**-9) ** 2).abs().max() <= 1.01 * 2**-8
    assert torch.get_float32_matmul_precision() == before
