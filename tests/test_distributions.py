"""Densities against torch.distributions, SciPy, enumeration and quadrature; samplers against both.

Tolerances. A log-density here sums fewer than 30 terms of size below 100, each rounded a few times:
the error stays under 30 · 100 · 4 · eps, which is 3e-12 in float64 (eps 2e-16) and 1.5e-3 in
float32 (eps 1.2e-7). Random tests use fixed seeds and five standard errors.
"""

import math

import pytest
import scipy.integrate
import scipy.stats
import torch

from gm_course.distributions import (
    Bernoulli,
    DiagonalGaussian,
    GaussianMixture,
    LinearGaussianModel,
    reparameterise,
    standard_normal,
    standard_normal_log_prob,
)
from gm_course.errors import ArgumentError, ShapeError

DTYPES = [(torch.float64, 3e-12), (torch.float32, 1.5e-3)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=seeded(seed), dtype=dtype)


def assert_mean_is(draws, expected):
    """Fail unless the column means are within five standard errors of ``expected``."""
    standard_error = draws.std(dim=0) / math.sqrt(draws.shape[0])
    assert ((draws.mean(dim=0) - expected).abs() <= 5 * standard_error).all()


# --- Gaussian -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
def test_standard_normal_log_prob_matches_torch_distributions(dtype, atol):
    z = 2 * normal(7, 3, dtype=dtype)
    expected = torch.distributions.Normal(z * 0, z * 0 + 1).log_prob(z).sum(dim=-1)
    torch.testing.assert_close(standard_normal_log_prob(z), expected, rtol=0, atol=atol)


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
def test_diagonal_gaussian_log_prob_matches_scipy(dtype, atol):
    mean, x = normal(5, 4, dtype=dtype), normal(5, 4, seed=1, dtype=dtype)
    var = normal(5, 4, seed=2, dtype=dtype).exp()
    expected = scipy.stats.norm(mean.double(), var.double().sqrt()).logpdf(x.double()).sum(axis=-1)
    actual = DiagonalGaussian(mean, var).log_prob(x)
    assert actual.dtype == dtype
    torch.testing.assert_close(actual.double(), torch.from_numpy(expected), rtol=0, atol=atol)


def test_diagonal_gaussian_density_integrates_to_one():
    gaussian = DiagonalGaussian(torch.tensor([[0.7]]).double(), torch.tensor([[0.09]]).double())

    def density(x):
        return gaussian.log_prob(torch.tensor([[x]], dtype=torch.float64)).exp().item()

    total, _ = scipy.integrate.quad(density, 0.7 - 12 * 0.3, 0.7 + 12 * 0.3)
    assert abs(total - 1) < 1.5e-8  # quad's default error


def test_diagonal_gaussian_scores_one_batch_under_many_parameters():
    mean, var, x = normal(3, 5, 2), normal(3, 5, 2, seed=1).exp(), normal(5, 2, seed=2)
    scores = DiagonalGaussian(mean, var).log_prob(x)
    assert scores.shape == (3, 5)
    for sample in range(3):
        expected = DiagonalGaussian(mean[sample], var[sample]).log_prob(x)
        torch.testing.assert_close(scores[sample], expected)


@pytest.mark.parametrize(
    "wrong_parameter",
    [lambda var: var.sqrt(), lambda var: var.log(), lambda var: var.square()],
    ids=["std for var", "log-var for var", "var squared"],
)
def test_killer_wrong_variance_parameter_is_caught(wrong_parameter):
    mean, x, var = normal(5, 4), normal(5, 4, seed=1), normal(5, 4, seed=2).exp() + 1.5
    expected = torch.distributions.Normal(mean, var.sqrt()).log_prob(x).sum(dim=-1)
    torch.testing.assert_close(DiagonalGaussian(mean, var).log_prob(x), expected)
    wrong = DiagonalGaussian(mean, wrong_parameter(var)).log_prob(x)
    assert ((wrong - expected).abs() > 1e-3).all()


def test_reparameterise_is_mean_plus_std_times_noise():
    mean, var, noise = torch.tensor([[1.0, -2.0]]), torch.tensor([[4.0, 9.0]]), torch.ones(3, 1, 2)
    # The killer mean + var * noise would give 5 and 7.
    expected = torch.tensor([3.0, 1.0]).expand(3, 1, 2)
    torch.testing.assert_close(reparameterise(mean, var, noise), expected, rtol=0, atol=0)


def test_reparameterised_moments_and_pathwise_gradient_match_the_closed_form():
    # E[z²] = μ² + σ², so its gradients are 2μ with respect to μ and 1 with respect to σ².
    mean, var, rows = 0.8, 2.5, 20_000
    means = torch.full((rows, 1), mean, dtype=torch.float64, requires_grad=True)
    variances = torch.full((rows, 1), var, dtype=torch.float64, requires_grad=True)
    z = DiagonalGaussian(means, variances).sample(generator=seeded())
    z.square().sum().backward()
    assert_mean_is(z.detach(), mean)
    assert_mean_is((z.detach() - mean).square(), var)
    assert_mean_is(means.grad, 2 * mean)
    assert_mean_is(variances.grad, 1.0)


def test_sample_passes_kolmogorov_smirnov():
    gaussian = DiagonalGaussian(torch.full((5000, 1), -1.0), torch.full((5000, 1), 0.25))
    draws = gaussian.sample(generator=seeded())[:, 0].numpy()
    assert scipy.stats.kstest(draws, scipy.stats.norm(-1, 0.5).cdf).pvalue > 1e-4


def test_gaussian_gradients_pass_gradcheck():
    mean, var = normal(3, 2).requires_grad_(), normal(3, 2, seed=1).exp().requires_grad_()
    x, noise = normal(3, 2, seed=2).requires_grad_(), normal(4, 3, 2, seed=3)
    assert torch.autograd.gradcheck(
        lambda m, v, y: DiagonalGaussian(m, v).log_prob(y), (mean, var, x)
    )
    assert torch.autograd.gradcheck(lambda m, v: reparameterise(m, v, noise), (mean, var))


# --- Bernoulli ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
def test_bernoulli_log_prob_matches_torch_distributions(dtype, atol):
    logits = 4 * normal(6, 10, dtype=dtype)
    x = (normal(6, 10, seed=1) > 0).to(dtype)
    expected = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(dim=-1)
    torch.testing.assert_close(Bernoulli(logits).log_prob(x), expected, rtol=0, atol=atol)


def test_bernoulli_probabilities_of_all_pictures_sum_to_one():
    pictures = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 4)  # (16, 4)
    logits = 2 * normal(1, 4)
    probabilities = Bernoulli(logits).log_prob(pictures).exp()
    torch.testing.assert_close(probabilities.sum(), torch.ones(()).double())
    gamma = Bernoulli(logits).mean
    chapter = (gamma**pictures * (1 - gamma) ** (1 - pictures)).prod(dim=-1)  # 13.2.3 as printed
    torch.testing.assert_close(probabilities, chapter)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_bernoulli_is_exact_and_differentiable_at_huge_logits(dtype):
    logits = torch.tensor([[1000.0], [1000.0], [-1000.0], [-1000.0]], dtype=dtype)
    logits.requires_grad_()
    x = torch.tensor([[1.0], [0.0], [1.0], [0.0]], dtype=dtype)
    log_prob = Bernoulli(logits).log_prob(x)
    log_prob.sum().backward()
    assert log_prob.tolist() == [0.0, -1000.0, -1000.0, 0.0]
    assert logits.grad.flatten().tolist() == [0.0, -1.0, 1.0, 0.0]  # x - γ


def test_bernoulli_of_grey_pixels_is_minus_the_cross_entropy():
    logits, grey = normal(5, 8), torch.rand(5, 8, generator=seeded(), dtype=torch.float64)
    expected = -torch.nn.functional.binary_cross_entropy_with_logits(logits, grey, reduction="none")
    torch.testing.assert_close(Bernoulli(logits).log_prob(grey), expected.sum(dim=-1))


def test_bernoulli_is_symmetric_under_swapping_zeros_and_ones():
    logits, x = 5 * normal(20, 3), (normal(20, 3, seed=1) > 0).double()
    torch.testing.assert_close(Bernoulli(logits).log_prob(x), Bernoulli(-logits).log_prob(1 - x))


def test_bernoulli_samples_have_the_right_frequency_and_no_gradient():
    logits = torch.tensor([-2.0, 0.0, 1.0]).expand(20_000, 3).clone().requires_grad_()
    draws = Bernoulli(logits).sample(generator=seeded())
    assert not draws.requires_grad
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert_mean_is(draws, logits[0].detach().sigmoid())


def test_bernoulli_gradient_passes_gradcheck():
    logits, x = normal(3, 4).requires_grad_(), (normal(3, 4, seed=1) > 0).double()
    assert torch.autograd.gradcheck(lambda value: Bernoulli(value).log_prob(x), logits)


# --- mixture ------------------------------------------------------------------------------------


def example_mixture(dtype=torch.float64):
    means = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [0.0, 3.0]], dtype=dtype)
    std = torch.tensor([0.5, 1.0, 0.2], dtype=dtype)
    return GaussianMixture(means, std, torch.tensor([1.0, 2.0, 5.0], dtype=dtype))


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
def test_mixture_log_prob_matches_torch_distributions(dtype, atol):
    mixture = example_mixture(dtype)
    components = torch.distributions.Independent(
        torch.distributions.Normal(mixture.means, mixture.std[:, None]), 1
    )
    weights = torch.distributions.Categorical(torch.tensor([1.0, 2.0, 5.0], dtype=dtype))
    oracle = torch.distributions.MixtureSameFamily(weights, components)
    x = 2 * normal(50, 2, dtype=dtype)
    # Narrow components make terms of size (6/0.2)²/2 = 450 > 100: allow ten times the error.
    torch.testing.assert_close(mixture.log_prob(x), oracle.log_prob(x), rtol=0, atol=10 * atol)


def test_mixture_density_integrates_to_one():
    # A sum over a grid converges faster than any power of the step for such smooth functions.
    axis = torch.linspace(-9, 9, 601, dtype=torch.float64)
    step = (axis[1] - axis[0]).item()
    mixture = example_mixture()
    total = mixture.log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * step**2
    assert abs(total.item() - 1) < 1e-9


def test_mixture_weights_are_normalised_and_equal_by_default():
    assert example_mixture().weights.tolist() == [0.125, 0.25, 0.625]
    assert GaussianMixture(torch.zeros(4, 2), 0.5).weights.tolist() == [0.25] * 4
    assert GaussianMixture(torch.zeros(4, 2), 0.5).std.tolist() == [0.5] * 4


def test_mixture_ignores_a_component_of_weight_zero():
    means = torch.tensor([[0.0], [50.0]]).double()
    mixture = GaussianMixture(means, 1.0, torch.tensor([1.0, 0.0]).double())
    x = normal(10, 1)
    torch.testing.assert_close(mixture.log_prob(x), standard_normal_log_prob(x))
    assert (mixture.sample(1000, generator=seeded()) < 10).all()


def test_mixture_tails_stay_finite_in_float32():
    far = torch.tensor([[1e4, 0.0]], requires_grad=True)
    log_prob = example_mixture(torch.float32).log_prob(far)
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert far.grad.isfinite().all()


def test_mixture_samples_follow_the_density():
    mixture = GaussianMixture(torch.tensor([[-2.0], [1.0]]), torch.tensor([0.5, 1.5]))
    draws = mixture.sample(5000, generator=seeded())[:, 0].numpy()

    def cdf(x):
        return 0.5 * scipy.stats.norm(-2, 0.5).cdf(x) + 0.5 * scipy.stats.norm(1, 1.5).cdf(x)

    def killer_cdf(x):  # variance taken for standard deviation
        return 0.5 * scipy.stats.norm(-2, 0.25).cdf(x) + 0.5 * scipy.stats.norm(1, 2.25).cdf(x)

    assert scipy.stats.kstest(draws, cdf).pvalue > 1e-4
    assert scipy.stats.kstest(draws, killer_cdf).pvalue < 1e-10


def test_mixture_samples_components_by_weight():
    means = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]])
    mixture = GaussianMixture(means, 1.0, torch.tensor([0.2, 0.3, 0.5]))
    draws = mixture.sample(10_000, generator=seeded())
    near = (torch.cdist(draws, means) < 20).double()
    assert_mean_is(near, mixture.weights)


def test_mixture_moves_between_devices_unchanged():
    moved = example_mixture().to("cpu")
    torch.testing.assert_close(moved.weights, example_mixture().weights)
    torch.testing.assert_close(moved.std, example_mixture().std)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (torch.zeros(3), 1.0),
            "GaussianMixture: means must have shape (batch, features); got (3,). "
            "Flatten each example, or add a batch dimension with x[None].",
        ),
        (
            (torch.zeros(3, 2), torch.ones(2)),
            "GaussianMixture: std must have one entry per mean, shape (3,); got (2,). "
            "Means are rows, (K, D).",
        ),
        (
            (torch.zeros(3, 2), -1.0),
            "GaussianMixture: std must be positive and finite; got -1.0. Check its values.",
        ),
        (
            (torch.zeros(2, 2), 1.0, torch.tensor([2.0, -1.0])),
            "GaussianMixture: weights must be at least 0; got -1.0. Check its values.",
        ),
        (
            (torch.zeros(2, 2), 1.0, torch.zeros(2)),
            "GaussianMixture: weights must have a positive sum; got [0.0, 0.0]. "
            "Give at least one component some weight.",
        ),
        (
            (torch.zeros(0, 2), 1.0),
            "GaussianMixture: weights must have a positive sum; got []. "
            "Give at least one component some weight.",
        ),
        (
            (torch.tensor([[math.nan]]), 1.0),
            "GaussianMixture: means must be finite; got nan. Check its values.",
        ),
        (
            (torch.zeros(2, 2, dtype=torch.int64), 1.0),
            "GaussianMixture: means must be floating point; got torch.int64. "
            "Convert them with means.float().",
        ),
    ],
)
def test_mixture_refuses_bad_parameters(arguments, message):
    with pytest.raises(ArgumentError) as error:
        GaussianMixture(*arguments)
    assert str(error.value) == message


def test_mixture_refuses_bad_calls():
    mixture = example_mixture()
    with pytest.raises(ShapeError, match="x must have 2 features"):
        mixture.log_prob(torch.zeros(5, 1).double())
    with pytest.raises(ArgumentError, match="n must be a whole number of at least 1; got 0"):
        mixture.sample(0, generator=seeded())


# --- linear-Gaussian model ----------------------------------------------------------------------


def example_model(dtype=torch.float64):
    weight = normal(4, 2, seed=3).to(dtype)
    return LinearGaussianModel(weight, normal(4, seed=4).to(dtype), var=0.3)


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
def test_log_evidence_matches_scipy(dtype, atol):
    model, x = example_model(dtype), normal(6, 4, dtype=dtype)
    weight = model.weight.double()
    cov = weight @ weight.T + 0.3 * torch.eye(4).double()
    oracle = scipy.stats.multivariate_normal(model.offset.double(), cov)
    expected = torch.from_numpy(oracle.logpdf(x.double()))
    torch.testing.assert_close(model.log_evidence(x).double(), expected, rtol=0, atol=atol)


def test_log_evidence_is_the_integral_over_the_latent():
    # marginal-density, by quadrature over a one-dimensional latent.
    model = LinearGaussianModel(normal(3, 1), normal(3, seed=1), var=0.5)
    x = normal(1, 3, seed=2)
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    integral = model.joint_log_prob(x, z).exp().sum() * (z[1] - z[0]).item()
    torch.testing.assert_close(integral.log(), model.log_evidence(x)[0], rtol=0, atol=1e-10)


def test_posterior_is_joint_over_evidence():
    # Bayes' rule holds at every z, so a few arbitrary points suffice.
    model, x, z = example_model(), normal(5, 4), normal(5, 2, seed=1)
    mean, cov = model.posterior(x)
    oracle = torch.distributions.MultivariateNormal(mean, cov)
    expected = model.joint_log_prob(x, z) - model.log_evidence(x)
    torch.testing.assert_close(oracle.log_prob(z), expected, rtol=0, atol=3e-12)


def test_joint_factorises_into_likelihood_and_prior():
    model, x, z = example_model(), normal(5, 4), normal(5, 2, seed=1)
    expected = model.likelihood(z).log_prob(x) + standard_normal_log_prob(z)
    torch.testing.assert_close(model.joint_log_prob(x, z), expected)
    dense = torch.distributions.MultivariateNormal(
        z @ model.weight.T + model.offset, 0.3 * torch.eye(4).double()
    )
    torch.testing.assert_close(model.likelihood(z).log_prob(x), dense.log_prob(x))


def test_ancestral_samples_follow_the_marginal():
    model = example_model()
    draws = model.sample(20_000, generator=seeded())
    assert_mean_is(draws, model.offset)
    centred = draws - model.offset
    products = (centred[:, :, None] * centred[:, None, :]).flatten(1)  # (n, D, D) -> (n, D·D)
    cov = model.weight @ model.weight.T + 0.3 * torch.eye(4).double()
    assert_mean_is(products, cov.flatten())


def test_linear_gaussian_model_refuses_bad_arguments():
    with pytest.raises(ShapeError) as error:
        LinearGaussianModel(torch.zeros(4, 2), torch.zeros(2), var=1.0)
    assert str(error.value) == (
        "LinearGaussianModel: offset must have shape (4,), one entry per row of weight; got (2,)."
    )
    with pytest.raises(ArgumentError, match="var must be positive and finite; got 0"):
        LinearGaussianModel(torch.zeros(4, 2), torch.zeros(4), var=0.0)
    for method in ("log_evidence", "posterior"):
        with pytest.raises(ShapeError, match=f"{method}: x must have 4 features"):
            getattr(example_model(), method)(torch.zeros(5, 2).double())
        with pytest.raises(ShapeError, match=f"{method}: x must have shape"):
            getattr(example_model(), method)(torch.zeros(4).double())
    with pytest.raises(ShapeError, match="z must have 2 features"):
        example_model().likelihood(torch.zeros(5, 4).double())


# --- shared behaviour ---------------------------------------------------------------------------


def log_prob_functions():
    model = example_model()
    return {
        "standard normal": standard_normal_log_prob,
        "gaussian": lambda x: DiagonalGaussian(torch.zeros_like(x), torch.ones_like(x)).log_prob(x),
        "bernoulli": lambda x: Bernoulli(torch.ones_like(x)).log_prob(x),
        "mixture": GaussianMixture(torch.zeros(2, 4).double(), 1.0).log_prob,
        "evidence": model.log_evidence,
    }


@pytest.mark.parametrize("name", log_prob_functions())
def test_batch_of_none_of_one_and_with_nan(name):
    log_prob = log_prob_functions()[name]
    x = torch.rand(3, 4, generator=seeded(), dtype=torch.float64)
    whole = log_prob(x)
    assert log_prob(x[:0]).shape == (0,)
    torch.testing.assert_close(log_prob(x[1:2]), whole[1:2])
    x[1, 2] = math.nan
    spoiled = log_prob(x)
    assert spoiled.isnan().tolist() == [False, True, False]
    torch.testing.assert_close(spoiled[[0, 2]], whole[[0, 2]])


def test_negative_variance_gives_nan_in_its_row_only():
    gaussian = DiagonalGaussian(torch.zeros(2, 1), torch.tensor([[1.0], [-1.0]]))
    assert gaussian.log_prob(torch.zeros(2, 1)).isnan().tolist() == [False, True]


def test_samples_repeat_with_the_generator_and_leave_the_global_one_alone():
    distributions = {
        "gaussian": lambda g: DiagonalGaussian(normal(3, 2), normal(3, 2).exp()).sample(
            generator=g
        ),
        "bernoulli": lambda g: Bernoulli(normal(3, 2)).sample(generator=g),
        "mixture": lambda g: example_mixture().sample(3, generator=g),
        "linear": lambda g: example_model().sample(3, generator=g),
    }
    before = torch.random.get_rng_state()
    for draw in distributions.values():
        torch.testing.assert_close(draw(seeded(5)), draw(seeded(5)), rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_standard_normal_takes_shape_dtype_and_generator():
    noise = standard_normal((2, 3), like=torch.zeros(1).double(), generator=seeded(7))
    torch.testing.assert_close(noise, normal(2, 3, seed=7), rtol=0, atol=0)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError) as error:
        DiagonalGaussian(torch.zeros(2, 3), torch.ones(2, 1))
    assert str(error.value) == (
        "DiagonalGaussian: mean and var must have the same shape; got mean (2, 3), var (2, 1). "
        "Nothing is broadcast here: expand the smaller one yourself if that is meant."
    )
    with pytest.raises(ShapeError) as error:
        Bernoulli(torch.zeros(2, 3)).log_prob(torch.zeros(2, 1))
    assert str(error.value) == (
        "Bernoulli.log_prob: x must have 3 features in its last dimension; got shape (2, 1). "
        "Flatten each example, and check that x and z are not swapped."
    )
    with pytest.raises(ShapeError) as error:
        reparameterise(torch.zeros(2, 3), torch.ones(2, 3), torch.zeros(3))
    assert str(error.value) == (
        "reparameterise: noise must have shape (2, 3), or (M, ...) in front of it for M samples; "
        "got (3,). Draw one number per coordinate."
    )
