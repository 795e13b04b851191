"""Argument checks that several modules share; each raises with the caller's name."""

from torch import Tensor

from gm_course.errors import ArgumentError, ShapeError


def require_matrix(function: str, name: str, value: Tensor) -> None:
    """Raise ShapeError unless ``value`` has two dimensions, (batch, features)."""
    if value.ndim != 2:
        raise ShapeError(
            f"{function}: {name} must have shape (batch, features); got {tuple(value.shape)}. "
            "Flatten each example, or add a batch dimension with x[None]."
        )


def require_features(function: str, name: str, value: Tensor, features: int) -> None:
    """Raise ShapeError unless the last dimension of ``value`` has size ``features``.

    Without this check torch would silently stretch a single column over all features.
    """
    if value.shape[-1:] != (features,):
        raise ShapeError(
            f"{function}: {name} must have {features} features in its last dimension; got shape "
            f"{tuple(value.shape)}. Flatten each example, and check that x and z are not swapped."
        )


def require_same_shape(function: str, **tensors: Tensor) -> None:
    """Raise ShapeError unless all keyword tensors have one shape; no broadcasting is allowed."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ShapeError(
            f"{function}: {' and '.join(shapes)} must have the same shape; got {listed}. "
            "Nothing is broadcast here: expand the smaller one yourself if that is meant."
        )


def require_positive(function: str, name: str, value: float) -> None:
    """Raise ArgumentError unless ``value`` is a finite number above zero."""
    if not 0 < value < float("inf"):
        raise ArgumentError(f"{function}: {name} must be positive and finite; got {value!r}.")


def require_count(function: str, name: str, value: int, *, minimum: int = 1) -> None:
    """Raise ArgumentError unless ``value`` is a whole number of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ArgumentError(
            f"{function}: {name} must be a whole number of at least {minimum}; got {value!r}."
        )
