"""EM for Gaussian mixtures against SciPy, scikit-learn, autograd and enumeration.

Tolerances. Log-densities here are sums of fewer than 20 terms below 100, so float64 keeps them to
20 · 100 · 4 · 2e-16 < 2e-12 for well-conditioned covariances; 1e-10 leaves room for the inverse.
"""

import math

import pytest
import scipy.special
import scipy.stats
import torch

from gm_course.em import FullGaussianMixture, em_step, m_step, responsibilities
from gm_course.errors import ArgumentError, ShapeError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def mixture(components=3, dim=2, seed=0):
    roots = normal(components, dim, dim, seed=seed)
    weights = torch.arange(1, components + 1).double()
    return FullGaussianMixture(
        weights / weights.sum(),
        2 * normal(components, dim, seed=seed + 1),
        roots @ roots.mT + 0.3 * torch.eye(dim).double(),
    )


def scipy_joint(model, x):
    columns = [
        math.log(weight)
        + scipy.stats.multivariate_normal(mean.numpy(), cov.numpy()).logpdf(x.numpy())
        for weight, mean, cov in zip(model.weights.tolist(), model.means, model.covs, strict=True)
    ]
    return torch.stack([torch.as_tensor(column).reshape(-1) for column in columns], dim=1)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_densities_and_responsibilities_match_scipy(dim):
    model, x = mixture(dim=dim), 2 * normal(7, dim, seed=5)
    joint = scipy_joint(model, x)
    torch.testing.assert_close(model.joint_log_prob(x), joint, rtol=0, atol=1e-10)
    total = scipy.special.logsumexp(joint.numpy(), axis=1)
    torch.testing.assert_close(model.log_prob(x), torch.from_numpy(total), rtol=0, atol=1e-10)
    expected = (joint - torch.from_numpy(total)[:, None]).exp()
    torch.testing.assert_close(responsibilities(model, x), expected, rtol=0, atol=1e-10)


def test_responsibilities_are_finite_far_from_every_component():
    shares = responsibilities(mixture(), torch.full((1, 2), 1e4).double())
    assert shares.isfinite().all()
    assert abs(shares.sum() - 1) < 1e-12


def expected_log_joint(weights, means, covs, x, shares):
    """The function that the M-step maximises, with torch's own Gaussian."""
    gaussians = torch.distributions.MultivariateNormal(means, covs)
    return (shares * (weights.log() + gaussians.log_prob(x[:, None]))).sum()


def test_m_step_has_zero_gradient_of_what_it_maximises():
    x = normal(60, 2, seed=3)
    shares = normal(60, 3, seed=4).softmax(dim=1)
    model = m_step(x, shares)
    logits = model.weights.log().requires_grad_()  # the weights stay on the simplex
    means, covs = model.means.clone().requires_grad_(), model.covs.clone().requires_grad_()
    value = expected_log_joint(logits.softmax(dim=0), means, covs, x, shares)
    gradients = torch.autograd.grad(value, (logits, means, covs))
    # Sums of 60 terms below 100 with condition numbers below 10: 60 · 100 · 10 · 2e-16 = 1e-11.
    assert all(gradient.abs().max() < 1e-9 for gradient in gradients)
    # Killer: with N - 1 in place of N_k the covariance is not the maximiser.
    wrong = (model.covs * 1.05).requires_grad_()
    value = expected_log_joint(model.weights, model.means, wrong, x, shares)
    assert torch.autograd.grad(value, wrong)[0].abs().max() > 0.1


def test_one_component_gives_mean_and_covariance_of_the_data():
    x = normal(50, 3)
    model = m_step(x, torch.ones(50, 1).double())
    torch.testing.assert_close(model.means[0], x.mean(dim=0))
    torch.testing.assert_close(model.covs[0], x.T.cov(correction=0))
    assert model.weights.tolist() == [1.0]


def test_em_ends_where_scikit_learn_ends():
    from sklearn.mixture import GaussianMixture as Reference

    truth = FullGaussianMixture(
        torch.tensor([0.3, 0.7]).double(),
        torch.tensor([[-2.0, 0.0], [2.0, 1.0]]).double(),
        torch.tensor([[[1.0, 0.3], [0.3, 0.5]], [[0.5, 0.0], [0.0, 1.0]]]).double(),
    )
    x, _ = truth.sample(400, generator=seeded(1))
    model = truth
    for _ in range(200):
        model = em_step(model, x)
    reference = Reference(
        2, reg_covar=0, tol=1e-14, max_iter=500, means_init=truth.means.numpy(),
        weights_init=truth.weights.numpy(), precisions_init=truth.covs.inverse().numpy(),
    ).fit(x.numpy())  # fmt: skip
    # Both stop where a step changes less than 1e-14 of the likelihood, its second order in the
    # parameters, so these agree to the square root, 1e-7, times the distance still to go.
    torch.testing.assert_close(model.means, torch.from_numpy(reference.means_), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        model.covs, torch.from_numpy(reference.covariances_), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_step_lowers_the_likelihood(seed):
    x = torch.cat([normal(40, 2, seed=seed), 3 + normal(40, 2, seed=seed + 50)])
    model = mixture(seed=seed)
    before = model.log_prob(x).sum()
    for _ in range(15):
        model = em_step(model, x)
        after = model.log_prob(x).sum()
        assert after >= before - 1e-10
        before = after


def test_samples_have_the_right_components_and_moments():
    model = mixture()
    x, z = model.sample(20_000, generator=seeded(2))
    for k in range(3):
        members = x[z == k]
        standard_error = math.sqrt(model.weights[k] * (1 - model.weights[k]) / 20_000)
        assert abs(len(members) / 20_000 - model.weights[k]) < 5 * standard_error
        error = members.std(dim=0) / math.sqrt(len(members))
        assert ((members.mean(dim=0) - model.means[k]).abs() < 5 * error).all()
        # A product of two coordinates has a standard deviation below 2 · the largest variance.
        bound = 5 * 2 * model.covs[k].diagonal().max() / math.sqrt(len(members))
        assert ((members.T.cov() - model.covs[k]).abs() < bound).all()


def test_a_collapsing_component_is_named():
    x = torch.tensor([[0.0], [0.1], [-0.1], [5.0]]).double()
    start = FullGaussianMixture(
        torch.tensor([0.5, 0.5]).double(),
        torch.tensor([[0.0], [5.0]]).double(),
        torch.full((2, 1, 1), 1e-4).double(),
    )
    with pytest.raises(ArgumentError) as caught:
        em_step(start, x)
    assert str(caught.value) == (
        "FullGaussianMixture: covs must be positive definite; got [[0.0]] for component 1. If EM "
        "brought it there, the component has collapsed onto too few points: start elsewhere, or "
        "add a small multiple of the identity after each step."
    )


def test_a_component_without_points_is_named():
    with pytest.raises(ArgumentError) as caught:
        m_step(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    assert str(caught.value) == (
        "m_step: shares must give every component a share of some point; got column sums "
        "[2.0, 0.0]. Start with other means, or with fewer components."
    )


def test_wrong_arguments_are_named():
    eye = torch.eye(2)[None]
    with pytest.raises(ShapeError) as caught:
        FullGaussianMixture(torch.ones(2) / 2, torch.zeros(1, 2), eye)
    assert str(caught.value) == (
        "FullGaussianMixture: weights must have shape (1,) to go with means (1, 2); got (2,). "
        "Means are rows, (K, D)."
    )
    with pytest.raises(ArgumentError) as caught:
        FullGaussianMixture(torch.tensor([2.0]), torch.zeros(1, 2), eye)
    assert str(caught.value) == (
        "FullGaussianMixture: weights must be positive and sum to 1; got [2.0]. Divide them by "
        "their sum, and drop empty components."
    )
    with pytest.raises(ShapeError, match=r"covs must have shape \(1, 2, 2\)"):
        FullGaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.eye(2))
    with pytest.raises(ShapeError, match="x must have 2 features"):
        FullGaussianMixture(torch.ones(1), torch.zeros(1, 2), eye).log_prob(torch.zeros(3, 1))
    with pytest.raises(ShapeError) as caught:
        m_step(torch.zeros(3, 1), torch.ones(2, 1))
    assert str(caught.value) == (
        "m_step: shares must have one row per point, 3; got 2. Pass the responsibilities of these "
        "points."
    )
