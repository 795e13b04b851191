"""How a notebook states what it has just verified.

A stored notebook is compared with a fresh run, so its cells print claims that hold on every
machine instead of digits that drift. A claim that fails prints another line, and the comparison
fails with it.
"""

import math

from torch import Tensor

from gm_course.errors import ArgumentError

HOLDS, FAILS = "✓", "✗"


def claim(statement: str, holds: bool | Tensor) -> None:
    """Print the statement with ✓ if it holds and with ✗ if it does not.

    Args:
        statement: What is claimed, bound included, as it should read in the notebook.
        holds: Whether it does; a Python or NumPy bool, or a tensor with a single boolean.

    Raises:
        ArgumentError: If ``holds`` is not a single truth value.

    Example:
        >>> claim("two and two make four", 2 + 2 == 4)
        ✓ two and two make four
    """
    is_single = getattr(holds, "ndim", 0) == 0 and type(holds).__name__ in ("bool", "bool_")
    if isinstance(holds, Tensor):
        is_single = str(holds.dtype) == "torch.bool" and holds.numel() == 1
    if not is_single:
        raise ArgumentError(
            f"claim: holds must be one truth value; got {holds!r}. Compare with a bound, and "
            "reduce several comparisons with .all()."
        )
    print(f"{HOLDS if holds else FAILS} {statement}")


def claim_between(statement: str, value: float | Tensor, low: float, high: float) -> None:
    """Print that a measured value lies between two bounds, with ✓ or ✗.

    The bounds that are printed are the ones that were tested; NaN lies between no bounds.

    Args:
        statement: What was measured, with its unit.
        value: The measurement, a number or a tensor with a single element.
        low: Lower bound; ``-math.inf`` for none.
        high: Upper bound; ``math.inf`` for none.

    Raises:
        ArgumentError: If the bounds are out of order.

    Example:
        >>> claim_between("π", 3.14159, 3, 3.2)
        ✓ π: between 3 and 3.2
        >>> claim_between("π", 3.14159, 3, math.inf)
        ✓ π: above 3
    """
    if not low < high:
        raise ArgumentError(f"claim_between: low must be below high; got {low} and {high}.")
    if low == -math.inf:
        bounds = f"below {high:g}"
    elif high == math.inf:
        bounds = f"above {low:g}"
    else:
        bounds = f"between {low:g} and {high:g}"
    claim(f"{statement}: {bounds}", low < float(value) < high)
