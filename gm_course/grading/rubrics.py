"""What the points of each written answer are for.

The tables stand above the written answers in ``sources/exercises``, too, where the students read
them; an installed grader has no ``sources/``.
"""

from __future__ import annotations

from dataclasses import dataclass

from gm_course.errors import ArgumentError


@dataclass(frozen=True)
class RubricRow:
    """One row of a rubric.

    Attributes:
        points: What it is worth.
        text: What it asks for, in Markdown.
    """

    points: float
    text: str


_TEXTS = {
    "13-1": (
        "why not: what reparameterisation needs, a proof that a discrete sample cannot provide "
        "it, and which step of the Gaussian argument fails",
        "enumeration: the gradient in terms of $p$ and $f$, derived; its cost",
        "the score function: unbiasedness with any constant baseline, the best baseline derived, "
        "its cost",
        "Gumbel-softmax: why the arg max has the right distribution, what the relaxation changes, "
        "its cost; a comparison of the three",
    ),
    "13-2": (
        "the evidence decomposition, derived for an arbitrary $q$; why the ELBO is a bound and "
        "when it is tight",
        "the split of the ELBO in two, and the divergence from $q$ to the prior in closed form, "
        "derived from the definition",
        "the Gaussian log-likelihood with all its constants; why one sample is enough, and how "
        r"gradients reach $\phi$ through it",
        "the passage to (13.28): every constant named, why the maximisers agree, what has to be "
        "fixed for that; the misprint",
    ),
    "13-3": (
        "**The objective.** Which parts of (13.28) are missing in an autoencoder, in which limit "
        "it arises, and why its objective cannot tell one arrangement of the codes from another.",
        "**The noise.** What the expectation over $z$ adds to the squared error, what stops "
        r"$\sigma_I^2$ from vanishing, and why neighbouring codes therefore decode alike.",
        "**The prior.** How the KL terms of single examples shape the distribution of *all* "
        "codes, and why this makes samples of the prior decode to digits.",
        r"**The exchange.** What $\lambda$ trades against what, and why a VAE may ignore a latent "
        "dimension while an autoencoder never has a reason to.",
    ),
    "13-4": (
        "why the problem may be solved at each $x$ by itself, and why a pointwise maximiser then "
        "maximises the integral",
        "the stationary point, and why it is the maximum on all of $[0,1]$: second-order "
        "condition and both ends",
        "the points where one density is zero or both are; in which sense the optimum is unique",
        "the discriminator: what the best one knows, its objective as a function of the two "
        "distributions, and what this says about the generator's training",
    ),
    "13-5": (
        "(1): the right verdict with a complete proof",
        "(2): the right verdict with a complete proof",
        "(3): the right verdict with a complete proof",
        "(4): the right verdict with a complete proof",
    ),
    "13-6": (
        "*Weak duality* (弱对偶): for every plan and every 1-Lipschitz $f$ the inequality, with "
        "the step at which each assumption is used",
        "*Linear programming*: primal and dual stated, why the primal has a finite optimum, what "
        "strong duality gives",
        "*One function*: from an optimal pair of prices to a single $f$; why it is 1-Lipschitz, "
        "and why the value does not fall",
        r"*Everywhere and at every slope*: the extension to $\mathbb R^d$ with proof (½); the "
        r"supremum over $\|f\|_L\le K$, $K=0$ included (½)",
    ),
}

_REMARKS = {
    "13-5": (
        "A proof that a function *is* Lipschitz continuous is complete with a bound on all slopes "
        "(½ point) and the reason why no smaller one holds (½ point); say also whether any chord "
        "attains it. A proof that a function is *not* is complete with two points of the domain "
        "for every proposed constant (½ point) and the calculation that they refute it (½ point). "
        "A verdict alone earns nothing.",
        "A proof by derivatives is as good as one by chords, if it says which theorem it uses and "
        "how that covers the ends of the domain.",
    ),
    "13-6": (
        "A remark on distributions without a finite support is welcome, but earns nothing extra.",
    ),
}


def rubric(number: str) -> tuple[RubricRow, ...]:
    """Return the rubric of an exercise's written answer, ``"13-1"`` … ``"13-6"``.

    Raises:
        ArgumentError: If there is no such exercise.

    Example:
        >>> rubric("13-4")[2].points
        1.0
    """
    return tuple(RubricRow(1.0, text) for text in _texts("rubric", number))


def remark(number: str) -> str:
    """Return what the exercise says about the rubric as a whole, in Markdown; empty for most.

    Raises:
        ArgumentError: If there is no such exercise.
    """
    _texts("remark", number)
    return "\n\n".join(_REMARKS.get(number, ()))


def _texts(function: str, number: str) -> tuple[str, ...]:
    if number not in _TEXTS:
        raise ArgumentError(
            f"{function}: number must be one of {', '.join(_TEXTS)}; got {number!r}. "
            "Write chapter and exercise with a hyphen."
        )
    return _TEXTS[number]
