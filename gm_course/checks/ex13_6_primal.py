"""Check of exercise 13-6's first answer, ``wasserstein_primal``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gm_course.checks.calls import Call, Plain
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_6_measures import (
    Counts,
    as_pair,
    optimal_cost,
    pairs_of_measures,
    probabilities,
    solver_tolerance,
    transport_plan,
)
from gm_course.checks.expected import AnyTensor, Items, Rule, Values
from gm_course.checks.inputs import uniform, wide
from gm_course.checks.misconceptions import Misconception

Solution = tuple[Tensor, Tensor]


class _Problem(NamedTuple):
    p: Tensor
    q: Tensor
    cost: Tensor
    optimum: float


def _problems(dtype: torch.dtype) -> dict[str, _Problem]:
    def problem(p: Counts, q: Counts, cost: Tensor) -> _Problem:
        optimum = optimal_cost(p, q, wide(cost))
        return _Problem(probabilities(p, dtype), probabilities(q, dtype), cost, optimum)

    def costs(seed: int, n: int, m: int, *, largest: float = 4.0) -> Tensor:
        return uniform(seed, (n, m), low=0.0, high=largest, dtype=dtype)

    def on_points(label: str) -> _Problem:
        given = pairs_of_measures(dtype)[label]
        cost = torch.from_numpy(given.distances.astype("float64")).to(dtype)
        return _Problem(given.p, given.q, cost, given.optimum)

    twelve = (5, 1, 9, 4, 7, 2, 6, 10, 3, 8, 4, 5), (8, 6, 2, 5, 1, 9, 3, 2, 10, 7, 5, 6)
    # All targets lie on one side of all sources: on a line every plan then costs the same.
    ahead = torch.tensor([3, 5, 6, 9], dtype=dtype) - torch.tensor([[0], [1], [2]], dtype=dtype)
    return {
        "typical values": problem((4, 9, 3), (7, 1, 5, 3), costs(201, 3, 4)),
        "as many sources as targets": problem((6, 3, 7, 4), (2, 9, 4, 5), costs(2, 4, 4)),
        "more sources than targets": problem((3, 8, 2, 6, 5), (13, 11), costs(3, 5, 2)),
        "distances of points in the plane": on_points("five points in the plane"),
        "twelve sources and targets": problem(*twelve, costs(4, 12, 12)),
        "sums that are 1 up to rounding": problem((17, 33, 50), (31, 7, 43, 19), costs(5, 3, 4)),
        "probabilities that are zero": problem((0, 5, 0, 3), (4, 0, 4), costs(6, 4, 3)),
        "several optimal plans": problem((2, 3, 3), (1, 3, 2, 2), ahead),
        "equal distributions": on_points("equal distributions"),
        "every cost zero": problem((3, 5), (2, 4, 2), torch.zeros(2, 3, dtype=dtype)),
        "one source": problem((8,), (3, 1, 4), costs(7, 1, 3)),
        "one target": problem((3, 1, 4), (8,), costs(8, 3, 1)),
        "one source and one target": problem((1,), (1,), costs(9, 1, 1)),
        "costs up to 1000": problem((4, 9, 3), (7, 1, 5, 3), costs(10, 3, 4, largest=1e3)),
        "costs up to 0.001": problem((4, 9, 3), (7, 1, 5, 3), costs(11, 3, 4, largest=1e-3)),
    }


def _cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, given in _problems(dtype).items():
        call = Call({"p": given.p, "q": given.q, "cost": given.cost})
        yield Case(label, call, _optimal_plan(given))


def _optimal_plan(given: _Problem) -> Rule:
    p, q, cost = (value.double() for value in (given.p, given.q, given.cost))
    dtype = given.p.dtype
    shape = (len(p), len(q))
    # Errors of the value: the solver's, mass that rounding adds or takes away, and rounding in
    # the sum, each at most its own eps times the largest cost.
    value_tolerance = solver_tolerance(dtype, float(cost.max()))
    mass_tolerance = solver_tolerance(dtype, 1.0)
    marginals = torch.cat([p, q])

    def broken_by(result: tuple[Tensor, Tensor]) -> str:
        plan = result[1].double()
        if float(plan.min()) < -mass_tolerance:
            return f"a plan that moves a negative mass, {float(plan.min()):.4g}"
        for name, sums, wanted in (("row", plan.sum(1), p), ("column", plan.sum(0), q)):
            errors = (sums - wanted).abs()
            if float(errors.max()) > mass_tolerance:
                index = int(errors.argmax())
                return (
                    f"a plan whose {name} {index} sums to {float(sums[index]):.4g} "
                    f"where {'pq'[name == 'column']}[{index}] = {float(wanted[index]):.4g}"
                )
        spent = float((plan * cost).sum())
        if abs(spent - given.optimum) > 2 * value_tolerance:
            return f"a plan that costs {spent:.4g}, more than the value returned with it"
        return ""

    def residuals(value: Plain) -> Tensor | None:
        pair = as_pair(value)
        if pair is None or pair[1].ndim != 2 or sum(pair[1].shape) != sum(shape):
            return None
        returned, plan = pair
        spent = (plan * cost).sum() if plan.shape == shape else torch.tensor(torch.nan)
        totals = torch.stack([torch.tensor(returned), spent]) - given.optimum
        errors = torch.cat([totals, torch.cat([plan.sum(1), plan.sum(0)]) - marginals])
        return (errors / max(value_tolerance, mass_tolerance)).to(dtype)

    return Rule(
        Items(
            {
                "value": Values(
                    torch.tensor(given.optimum, dtype=torch.float64), value_tolerance, dtype
                ),
                "plan": AnyTensor(shape, dtype),
            }
        ),
        broken_by,
        "the plan moving p to q, whose sums are 1 only up to rounding, at the least possible cost",
        residuals,
    )


def _solve(p: Tensor, q: Tensor, cost: Tensor) -> Solution:
    plan = transport_plan(p, q, cost)
    return (plan * cost).sum(), plan


def _with_value(value: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Solution]:
    """A right plan with a value made of plan and cost in another way."""

    def wrong(p: Tensor, q: Tensor, cost: Tensor) -> Solution:
        plan = transport_plan(p, q, cost)
        return value(plan, cost), plan

    return wrong


def _with_plan(plan_of: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Solution]:
    """Another plan, with what that one costs."""

    def wrong(p: Tensor, q: Tensor, cost: Tensor) -> Solution:
        plan = plan_of(p, q, cost)
        return (plan * cost).sum(), plan

    return wrong


def _greedy(p: Tensor, q: Tensor, cost: Tensor, order: Tensor) -> Tensor:
    supply, demand = p.clone(), q.clone()
    plan = torch.zeros_like(cost)
    for cell in order.tolist():
        i, j = divmod(cell, len(q))
        plan[i, j] = torch.minimum(supply[i], demand[j])
        supply[i] -= plan[i, j]
        demand[j] -= plan[i, j]
    return plan


def _cheapest_target(p: Tensor, q: Tensor, cost: Tensor) -> Tensor:
    plan = torch.zeros_like(cost)
    plan[torch.arange(len(p)), cost.argmin(1)] = p
    return plan


def _cheapest_source(p: Tensor, q: Tensor, cost: Tensor) -> Tensor:
    plan = torch.zeros_like(cost)
    plan[cost.argmin(0), torch.arange(len(q))] = q
    return plan


def _transposed(p: Tensor, q: Tensor, cost: Tensor) -> Solution:
    value, plan = _solve(p, q, cost)
    return value, plan.T


def _conditional(p: Tensor, q: Tensor, cost: Tensor) -> Solution:
    value, plan = _solve(p, q, cost)
    return value, plan / p[:, None]


_MARGINALS_HINT = (
    "A plan has two marginals: its row sums say where mass comes from, its column sums where it "
    "goes. Which of the two does yours respect?"
)

WASSERSTEIN_PRIMAL = AnswerCheck(
    name="wasserstein_primal",
    points=3.0,
    meaning="the least cost of moving p to q",
    hint="Write it as a linear programme: what are the variables, which equations tie their row "
    "sums and column sums, and what is minimised?",
    build_cases=in_both_dtypes(_cases),
    misconceptions=(
        Misconception(
            "independent-plan",
            "the independent coupling, p times q, which is allowed but not optimal",
            "The infimum runs over all plans with these marginals; the product is only one of "
            "them. What lets you search the others?",
            _with_plan(lambda p, q, cost: torch.outer(p, q)),
        ),
        Misconception(
            "greedy",
            "a greedy plan that fills the cheapest cells first",
            "A cheap cell taken now may force an expensive one later: all cells must be chosen "
            "together.",
            _with_plan(lambda p, q, cost: _greedy(p, q, cost, cost.flatten().argsort(stable=True))),
        ),
        Misconception(
            "ignores-cost",
            "a plan filled in the order of the indices, whatever the costs",
            "Such a plan is where some solvers start. It is optimal only for special costs.",
            _with_plan(lambda p, q, cost: _greedy(p, q, cost, torch.arange(cost.numel()))),
        ),
        Misconception(
            "maximised",
            "the most expensive plan",
            "Look at the sign that your solver's objective has: does it minimise?",
            _with_plan(lambda p, q, cost: transport_plan(p, q, -cost)),
        ),
        Misconception(
            "rows-only",
            "a plan that sends every source to its cheapest target and ignores q",
            _MARGINALS_HINT,
            _with_plan(_cheapest_target),
        ),
        Misconception(
            "columns-only",
            "a plan that supplies every target from its cheapest source and ignores p",
            _MARGINALS_HINT,
            _with_plan(_cheapest_source),
        ),
        Misconception(
            "inequality-marginals",
            "no mass moved at all: marginals bounded from above only",
            "Moving nothing is cheapest. Which constraint forbids it?",
            _with_plan(lambda p, q, cost: torch.zeros_like(cost)),
        ),
        Misconception(
            "squared-cost",
            "the costs squared",
            "`cost` holds what one unit of mass costs already; use it as it is.",
            lambda p, q, cost: _solve(p, q, cost**2),
        ),
        Misconception(
            "root-of-value",
            "a square root of the optimal cost",
            "The root belongs to the distance with squared costs; here the cost is not squared.",
            _with_value(lambda plan, cost: (plan * cost).sum().sqrt()),
        ),
        Misconception(
            "mean-cost",
            "an average over the cells of the plan",
            "The plan's masses are the weights of the average: they sum to 1 already.",
            _with_value(lambda plan, cost: (plan * cost).mean()),
        ),
        Misconception(
            "unweighted-cost",
            "the costs of the cells in use, without the mass that moves there",
            "An expectation weighs each cost by the probability of its cell.",
            _with_value(lambda plan, cost: cost[plan > 0].sum()),
        ),
        Misconception(
            "uniform-marginals",
            "a plan between uniform distributions: p and q were not used",
            _MARGINALS_HINT,
            lambda p, q, cost: _solve(torch.ones_like(p), torch.ones_like(q), cost),
        ),
        Misconception(
            "conditional-plan",
            "rows divided by p: where mass goes, given where it starts",
            "A plan is a joint distribution: all of its entries together sum to 1.",
            _conditional,
        ),
        Misconception(
            "transposed",
            "the plan with sources and targets exchanged",
            "Entry (i, j) is the mass that goes from i to j: row i belongs to p.",
            _transposed,
        ),
    ),
)
