"""Settings for all tests."""

import torch

# Small tensors: one thread is the fastest, and two test processes then do not fight for cores.
torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter):
    """Print how often the exercises' checks misjudged an answer, added up over the processes."""
    counts = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for kind, numbers in getattr(report, "user_properties", []):
                if kind in ("false accepts", "false rejects"):
                    wrong, total = counts.get(kind, (0, 0))
                    counts[kind] = (wrong + numbers[0], total + numbers[1])
    for kind, (wrong, total) in sorted(counts.items()):
        terminalreporter.write_line(f"exercise checks: {wrong} {kind} of {total}")
