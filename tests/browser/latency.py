"""The explorers' reaction times, reported and never judged: a busy machine is not a defect."""

from collections.abc import Iterator
from statistics import median

GOAL_MS = 150
HEAD = f"{'lecture':<36}{'explorer':>9}{'median':>9}{'slowest':>9}{'kernel':>9}   (ms)"


class Latencies:
    """Times from the key to the new picture, by explorer."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, int, list[float], float]] = []

    def add(self, lecture: str, explorer: int, times: list[float], drawing: float) -> None:
        """Note an explorer's times and how long its kernel computes for one picture, all in ms."""
        self._rows.append((lecture, explorer, times, drawing))

    def table(self) -> Iterator[str]:
        """Lines of a table with one row for each explorer."""
        if not self._rows:
            return
        yield f"explorers, from the key to the new picture; goal: a median of {GOAL_MS} ms"
        yield HEAD
        for lecture, explorer, times, drawing in self._rows:
            yield (
                f"{lecture:<36}{explorer:>9}{median(times):>9.0f}{max(times):>9.0f}{drawing:>9.0f}"
                f"{'   above the goal' if median(times) > GOAL_MS else ''}"
            )
        pooled = [time for _, _, times, _ in self._rows for time in times]
        yield f"{'all':<45}{median(pooled):>9.0f}{max(pooled):>9.0f}"
