"""Settings for all tests."""

import torch

# Small tensors: one thread is the fastest, and two test processes then do not fight for cores.
torch.set_num_threads(1)
