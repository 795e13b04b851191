"""The VAE against the one model whose evidence and posterior are known: the linear-Gaussian one.

A generator network without hidden layers and with a fixed variance *is* that model, so every bound
and every estimate here has an exact value to meet. Random tests use fixed seeds and five standard
errors; identities hold to 1e-10, far above float64 rounding (terms below 1e3, eps 2e-16).
"""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

import gm_course.vae
from gm_course.distributions import DiagonalGaussian, LinearGaussianModel, standard_normal
from gm_course.divergences import gaussian_kl, gaussian_kl_general
from gm_course.errors import ArgumentError, ShapeError
from gm_course.networks import (
    VAR_FLOOR,
    BernoulliGenerator,
    GaussianGenerator,
    InferenceNetwork,
)
from gm_course.vae import VAE, ElboTerms, elbo_from_objective, objective_13_28

EXACT = {"rtol": 0, "atol": 1e-10}
LAM = 0.3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def assert_mean_is(draws, expected):
    """Fail unless the mean over the first dimension is within five standard errors."""
    standard_error = draws.std(dim=0) / math.sqrt(draws.shape[0])
    assert ((draws.mean(dim=0) - expected).abs() <= 5 * standard_error).all()


class FixedPosterior(nn.Module):
    """q(z|x) with one free mean and variance per row, so that gradients come out row by row."""

    def __init__(self, mean, var, data_dim=4):
        super().__init__()
        self.data_dim, self.latent_dim = data_dim, mean.shape[-1]
        self.mean, self.var = nn.Parameter(mean.clone()), nn.Parameter(var.clone())

    def forward(self, x):
        return DiagonalGaussian(self.mean, self.var)


def linear_model():
    """Linear-Gaussian model whose posterior is diagonal: the columns of W are orthogonal."""
    columns, _ = torch.linalg.qr(normal(4, 2, seed=3))
    weight = columns * torch.tensor([1.5, 0.7]).double()
    return LinearGaussianModel(weight, normal(4, seed=4), var=LAM)


def linear_generator(model):
    generator = GaussianGenerator(2, 4, var=LAM, hidden=()).double()
    generator.mean.weight.data.copy_(model.weight)
    generator.mean.bias.data.copy_(model.offset)
    return generator


def exact_inference(model):
    """Inference network without hidden layers that returns the model's posterior."""
    _, cov = model.posterior(model.offset[None])
    encoder = cov @ model.weight.T / model.var  # (d, D)
    inference = InferenceNetwork(4, 2, hidden=()).double()
    inference.mean.weight.data.copy_(encoder)
    inference.mean.bias.data.copy_(-encoder @ model.offset)
    inference.raw_var.weight.data.zero_()
    inference.raw_var.bias.data.copy_(torch.expm1(cov.diagonal() - VAR_FLOOR).log())
    return inference


def exact_elbo(model, x, mean, var):
    """Closed-form ELBO of q = N(mean, diag var) under the linear-Gaussian model, shape (B,)."""
    at_mean = model.likelihood(mean).log_prob(x)
    spread = (model.weight.square().sum(dim=0) * var).sum(dim=-1)  # tr(W diag(var) Wᵀ)
    return at_mean - 0.5 * spread / model.var - gaussian_kl(mean, var)


def small_vae(generator_network=None):
    """VAE on 4 features and 2 latent units, in float64, with repeatable weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        inference = InferenceNetwork(4, 2, hidden=(8,), activation=nn.Tanh)
        network = generator_network or GaussianGenerator(
            2, 4, var=LAM, hidden=(8,), activation=nn.Tanh
        )
        return VAE(inference, network).double()


# --- the ELBO and the evidence ------------------------------------------------------------------


def test_evidence_is_elbo_plus_kl_to_the_posterior():
    # evidence-decomposition, for arbitrary q, without any sampling.
    model = linear_model()
    x, means, variances = normal(5, 4), normal(5, 2, seed=1), normal(5, 2, seed=2).exp()
    posterior_mean, posterior_cov = model.posterior(x)
    gaps = torch.stack(
        [
            gaussian_kl_general(mean, torch.diag(var), exact, posterior_cov)
            for mean, var, exact in zip(means, variances, posterior_mean, strict=True)
        ]
    )
    elbo = exact_elbo(model, x, means, variances)
    torch.testing.assert_close(elbo + gaps, model.log_evidence(x), **EXACT)
    assert (elbo < model.log_evidence(x)).all()  # elbo-is-bound, strict away from the posterior


@pytest.mark.parametrize("samples", [1, 3])
def test_elbo_estimate_is_unbiased(samples):
    model, rows = linear_model(), 20_000
    # Far from the prior and narrow: a KL of 4 nats, so that leaving it out shows.
    mean, var = torch.tensor([1.4, -1.8]).double(), torch.tensor([0.05, 0.12]).double()
    x = normal(1, 4)
    inference = FixedPosterior(mean.expand(rows, 2), var.expand(rows, 2))
    vae = VAE(inference, linear_generator(model))
    terms = vae.elbo(x.expand(rows, 4), generator=seeded(), samples=samples)
    expected = exact_elbo(model, x, mean[None], var[None])[0]
    assert_mean_is(terms.elbo.detach(), expected)
    assert (terms.kl == gaussian_kl(mean[None], var[None])).all()
    for killer in (terms.reconstruction + terms.kl, terms.reconstruction, terms.elbo / 4):
        with pytest.raises(AssertionError):
            assert_mean_is(killer.detach(), expected)


def test_elbo_variance_falls_as_one_over_the_number_of_samples():
    rows = 4000
    inference = FixedPosterior(torch.zeros(rows, 2).double(), torch.ones(rows, 2).double())
    vae = VAE(inference, linear_generator(linear_model()))
    x = normal(1, 4).expand(rows, 4)
    variances = [
        vae.elbo(x, generator=seeded(samples), samples=samples).elbo.var().item()
        for samples in (1, 10)
    ]
    # The estimate is a quadratic in normals, whose kurtosis is at most 15: each variance has a
    # relative standard error of at most √(14/4000) = 0.06, their ratio one of 0.084.
    assert abs(variances[0] / variances[1] / 10 - 1) < 5 * 0.084


def test_elbo_gradient_is_the_gradient_of_the_exact_elbo():
    # reparameterisation: the pathwise gradient is unbiased, here against the analytic one.
    model, rows = linear_model(), 20_000
    mean = torch.tensor([[0.4, -0.8]]).double().requires_grad_()
    var = torch.tensor([[0.5, 1.2]]).double().requires_grad_()
    x = normal(1, 4)
    exact_elbo(model, x, mean, var).sum().backward()
    inference = FixedPosterior(mean.detach().expand(rows, 2), var.detach().expand(rows, 2))
    vae = VAE(inference, linear_generator(model))
    vae.elbo(x.expand(rows, 4), generator=seeded()).elbo.sum().backward()
    assert_mean_is(inference.mean.grad, mean.grad[0])
    assert_mean_is(inference.var.grad, var.grad[0])


def test_elbo_gradients_pass_gradcheck():
    inference = FixedPosterior(normal(3, 2), normal(3, 2, seed=1).exp())
    vae = VAE(inference, small_vae().generator)
    parameters = (inference.mean, inference.var, vae.generator.mean.weight)

    def elbo(x, *_):
        return vae.elbo(x, generator=seeded(), samples=2).elbo

    assert torch.autograd.gradcheck(elbo, (normal(3, 4, seed=2).requires_grad_(), *parameters))


def test_every_parameter_is_trained_by_the_elbo():
    vae = small_vae(GaussianGenerator(2, 4, var=None, hidden=(8,)))
    vae.elbo(normal(6, 4), generator=seeded()).elbo.mean().backward()
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_training_raises_the_elbo_towards_the_evidence():
    model = linear_model()
    x = model.sample(400, generator=seeded(1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = VAE(InferenceNetwork(4, 2, hidden=()), GaussianGenerator(2, 4, var=LAM, hidden=()))
    vae.double()
    optimiser = torch.optim.Adam(vae.parameters(), lr=0.03)
    noise = seeded()
    history = []
    for _ in range(400):
        loss = -vae.elbo(x, generator=noise).elbo.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(-loss.item())
    evidence = model.log_evidence(x).mean().item()
    # A fitted model may beat the true one on its own data by about half the 12 parameters / 400.
    assert history[0] < evidence - 1
    assert abs(sum(history[-50:]) / 50 - evidence) < 0.15


# --- importance weighting -----------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 7])
def test_log_likelihood_is_exact_when_q_is_the_posterior(samples):
    model, x = linear_model(), normal(5, 4)
    vae = VAE(exact_inference(model), linear_generator(model))
    mean, cov = model.posterior(x)
    torch.testing.assert_close(vae.posterior(x).mean, mean, **EXACT)
    torch.testing.assert_close(vae.posterior(x).var, cov.diagonal().expand(5, 2), **EXACT)
    # Every single weight then equals p(x): the estimate has no variance at all.
    evidence = model.log_evidence(x)
    weights = vae.log_weights(x, samples=samples, generator=seeded())
    torch.testing.assert_close(weights, evidence.expand(samples, 5), **EXACT)
    estimate = vae.log_likelihood(x, samples=samples, generator=seeded())
    torch.testing.assert_close(estimate, evidence, **EXACT)


def test_weights_average_to_the_evidence_and_their_logs_to_the_elbo():
    model, x = linear_model(), normal(3, 4)
    mean, cov = model.posterior(x)
    # Wider than the posterior, so that the weights are bounded and their variance finite.
    q_mean, q_var = mean + 0.2, 1.5 * cov.diagonal().expand(3, 2)
    vae = VAE(FixedPosterior(q_mean, q_var), linear_generator(model))
    log_weights = vae.log_weights(x, samples=20_000, generator=seeded()).detach()
    assert_mean_is((log_weights - model.log_evidence(x)).exp(), 1.0)
    assert_mean_is(log_weights, exact_elbo(model, x, q_mean, q_var))


def test_log_likelihood_rises_from_the_elbo_to_the_evidence_with_more_samples():
    model, rows = linear_model(), 4000
    x = normal(1, 4)
    mean, cov = model.posterior(x)
    q_mean, q_var = mean + 0.3, 2 * cov.diagonal()
    inference = FixedPosterior(q_mean.expand(rows, 2), q_var.expand(rows, 2))
    vae = VAE(inference, linear_generator(model))
    many = x.expand(rows, 4)
    estimates = {
        samples: vae.log_likelihood(many, samples=samples, generator=seeded(samples))
        for samples in (1, 4, 16)
    }
    assert_mean_is(estimates[1], exact_elbo(model, x, q_mean, q_var[None])[0])
    for fewer, more in pairwise(estimates.values()):
        gain = more.mean() - fewer.mean()
        assert gain > 5 * (more.var() / rows + fewer.var() / rows).sqrt()
    evidence = model.log_evidence(x)[0]
    assert estimates[16].mean() < evidence
    assert evidence - estimates[16].mean() < 0.1 * (evidence - estimates[1].mean())


def test_bernoulli_log_likelihood_matches_quadrature_over_the_latent():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        vae = VAE(InferenceNetwork(6, 1, hidden=(8,)), BernoulliGenerator(1, 6, hidden=(8,)))
    vae.double()
    x = (normal(4, 6) > 0).double()
    z = torch.linspace(-10, 10, 4001, dtype=torch.float64)[:, None]
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    with torch.no_grad():
        log_joint = vae.decode(z[:, None]).log_prob(x) + prior  # (4001, B)
    expected = log_joint.logsumexp(dim=0) + math.log(z[1] - z[0])
    weights = vae.log_weights(x, samples=5000, generator=seeded()).detach()
    assert_mean_is((weights - expected).exp(), 1.0)
    # Delta method: the log of the mean weight has the weights' relative standard error.
    relative_error = (weights - expected).exp().std(dim=0) / math.sqrt(5000)
    estimate = vae.log_likelihood(x, samples=5000, chunk=5000, generator=seeded())
    assert ((estimate - expected).abs() < 5 * relative_error).all()


def test_log_likelihood_does_not_depend_on_the_chunks(monkeypatch):
    def draw_sample_by_sample(shape, *, like, generator):
        rows = [standard_normal(shape[1:], like=like, generator=generator) for _ in range(shape[0])]
        return torch.stack(rows)

    # torch draws a block of noise in an order of its own; drawn sample by sample it is the same.
    monkeypatch.setattr(gm_course.vae, "standard_normal", draw_sample_by_sample)
    vae, x = small_vae(), normal(5, 4)
    whole = vae.log_likelihood(x, samples=10, chunk=10, generator=seeded())
    for chunk in (1, 3, 5, 1000):
        parts = vae.log_likelihood(x, samples=10, chunk=chunk, generator=seeded())
        torch.testing.assert_close(parts, whole, **EXACT)


def test_log_likelihood_decodes_at_most_one_chunk_at_a_time_and_keeps_no_gradient():
    vae, x = small_vae(), normal(5, 4)
    decoded = []
    vae.generator.register_forward_pre_hook(lambda _, inputs: decoded.append(inputs[0].shape[0]))
    estimate = vae.log_likelihood(x, samples=10, chunk=4, generator=seeded())
    assert decoded == [4, 4, 2]
    assert not estimate.requires_grad
    assert vae.log_weights(x, samples=2, generator=seeded()).requires_grad


# --- (13.28) ------------------------------------------------------------------------------------


def one_sample_elbo():
    """ELBO of one sample, and the arguments of (13.28) at that same sample."""
    vae, x = small_vae(), normal(6, 4)
    terms = vae.elbo(x, generator=seeded(9))
    q = vae.posterior(x)
    z = q.sample(generator=seeded(9))
    return terms.elbo.detach(), [value.detach() for value in (x, vae.decode(z).mean, q.mean, q.var)]


def test_objective_13_28_is_the_scaled_elbo():
    elbo, arguments = one_sample_elbo()
    objective = objective_13_28(*arguments, LAM)
    torch.testing.assert_close(elbo_from_objective(objective, lam=LAM, data_dim=4), elbo, **EXACT)
    chapter = LAM * elbo + LAM * 4 / 2 * math.log(2 * math.pi * LAM)
    torch.testing.assert_close(objective, chapter, **EXACT)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, g, m, v, lam: -(x - g).square().sum(dim=-1) + gaussian_kl(m, v),
        lambda x, g, m, v, lam: -(x - g).square().sum(dim=-1) - lam * gaussian_kl(m, v),
        lambda x, g, m, v, lam: -0.5 * (x - g).square().sum(dim=-1) + lam * gaussian_kl(m, v),
        lambda x, g, m, v, lam: -0.5 * (x - g).square().sum(dim=-1) - gaussian_kl(m, v),
        lambda x, g, m, v, lam: -0.5 * (x - g).square().mean(dim=-1) - lam * gaussian_kl(m, v),
        lambda x, g, m, v, lam: objective_13_28(x, g, m, v.sqrt(), lam),
        lambda x, g, m, v, lam: objective_13_28(x, g, m, v, lam**0.5),
    ],
    ids=["misprint", "no half", "sign", "no lambda", "mean for sum", "std for var", "std for lam"],
)
def test_killer_wrong_objective_is_caught(wrong):
    elbo, arguments = one_sample_elbo()
    converted = elbo_from_objective(wrong(*arguments, LAM), lam=LAM, data_dim=4)
    assert ((converted - elbo).abs() > 1e-3).any()


def test_objective_and_elbo_have_proportional_gradients():
    # The map between them is affine with slope λ, so their maximisers agree.
    vae, x = small_vae(), normal(6, 4)
    parameters = list(vae.parameters())
    elbo = vae.elbo(x, generator=seeded(9)).elbo.sum()
    q = vae.posterior(x)
    mean_g = vae.decode(q.sample(generator=seeded(9))).mean
    objective = objective_13_28(x, mean_g, q.mean, q.var, LAM).sum()
    gradients = zip(
        torch.autograd.grad(objective, parameters),
        torch.autograd.grad(elbo, parameters),
        strict=True,
    )
    for of_objective, of_elbo in gradients:
        torch.testing.assert_close(of_objective, LAM * of_elbo, **EXACT)


def test_objective_refuses_bad_arguments():
    x, latent = torch.zeros(3, 4), torch.ones(3, 2)
    with pytest.raises(ShapeError, match="objective_13_28: x and mean_g must have the same shape"):
        objective_13_28(x, x[:, :1], latent, latent, 1.0)
    with pytest.raises(ArgumentError) as error:
        objective_13_28(x, x, latent, latent, 0.0)
    assert str(error.value) == "objective_13_28: lam must be positive and finite; got 0.0."
    with pytest.raises(ArgumentError, match="elbo_from_objective: lam must be positive"):
        elbo_from_objective(torch.zeros(3), lam=-1.0, data_dim=4)


# --- networks -----------------------------------------------------------------------------------


def test_inference_network_is_the_formula_of_the_chapter():
    network = InferenceNetwork(4, 2, hidden=(8,), activation=nn.Sigmoid).double()
    x = normal(5, 4)
    first = network.body[0]
    h = torch.sigmoid(x @ first.weight.T + first.bias)
    raw_var = h @ network.raw_var.weight.T + network.raw_var.bias
    posterior = network(x)
    torch.testing.assert_close(posterior.mean, h @ network.mean.weight.T + network.mean.bias)
    # VAR_FLOOR is written out: a variance may not drift from the chapter's by more than that.
    torch.testing.assert_close(posterior.var, torch.log1p(raw_var.exp()) + 1e-6)


def test_hidden_layers_follow_the_widths_given():
    network = BernoulliGenerator(2, 5, hidden=(7, 3), activation=nn.Tanh)
    linear = [
        (m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)
    ]
    assert linear == [(2, 7), (7, 3), (3, 5)]
    assert sum(isinstance(module, nn.Tanh) for module in network.modules()) == 2


@pytest.mark.parametrize("raw", [-1e4, 1e4])
def test_variances_stay_usable_in_float32_at_extreme_weights(raw):
    inference = InferenceNetwork(4, 2, hidden=())
    nn.init.zeros_(inference.raw_var.weight)
    nn.init.constant_(inference.raw_var.bias, raw)
    vae = VAE(inference, GaussianGenerator(2, 4, var=None, hidden=()))
    nn.init.zeros_(vae.generator.raw_var.weight)
    nn.init.constant_(vae.generator.raw_var.bias, raw)
    terms = vae.elbo(torch.ones(3, 4), generator=seeded())
    terms.elbo.sum().backward()
    assert terms.elbo.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in vae.parameters())


def test_gaussian_generator_variance_is_fixed_or_learned():
    z = normal(5, 2)
    assert (GaussianGenerator(2, 4, var=0.25).double()(z).var == 0.25).all()
    learned = GaussianGenerator(2, 4, var=None).double()(z).var
    assert (learned > 0).all()
    assert learned.unique().numel() == 20  # one per feature and example
    names = dict(GaussianGenerator(2, 4, var=0.25).named_parameters())
    assert not any("raw_var" in name for name in names)


def test_networks_refuse_bad_sizes():
    with pytest.raises(ArgumentError) as error:
        InferenceNetwork(0, 2)
    assert str(error.value) == (
        "InferenceNetwork: data_dim must be a whole number of at least 1; got 0."
    )
    with pytest.raises(ArgumentError, match="BernoulliGenerator: each hidden width must be"):
        BernoulliGenerator(2, 4, hidden=(8, 0))
    with pytest.raises(ArgumentError, match="GaussianGenerator: var must be positive and finite"):
        GaussianGenerator(2, 4, var=0.0)
    with pytest.raises(ArgumentError) as error:
        VAE(InferenceNetwork(4, 2), BernoulliGenerator(4, 2))
    assert str(error.value) == (
        "VAE: inference and generator must have the same data_dim; got 4 and 2. The inference "
        "network takes (data_dim, latent_dim), the generator network (latent_dim, data_dim)."
    )


# --- sampling -----------------------------------------------------------------------------------


def test_samples_follow_the_marginal():
    model = linear_model()
    vae = VAE(exact_inference(model), linear_generator(model))
    draws = vae.sample(20_000, generator=seeded())
    assert draws.shape == (20_000, 4)
    assert not draws.requires_grad
    assert_mean_is(draws, model.offset)
    centred = draws - model.offset
    products = (centred[:, :, None] * centred[:, None, :]).flatten(1)  # (n, D, D) -> (n, D·D)
    cov = model.weight @ model.weight.T + LAM * torch.eye(4).double()
    assert_mean_is(products, cov.flatten())
    # Killer: pictures without the decoder's noise have too small a variance.
    means = vae.decode(vae.sample_prior(20_000, generator=seeded())).mean
    assert (means.var(dim=0) < draws.var(dim=0) - 0.1).all()


def test_prior_samples_are_standard_normal():
    z = small_vae().sample_prior(20_000, generator=seeded())
    assert z.shape == (20_000, 2)
    assert z.dtype == torch.float64
    assert_mean_is(z, 0.0)
    assert_mean_is(z.square(), 1.0)


def test_bernoulli_samples_are_binary_pictures():
    vae = VAE(InferenceNetwork(4, 2), BernoulliGenerator(2, 4))
    assert set(vae.sample(50, generator=seeded()).unique().tolist()) == {0.0, 1.0}


def test_draws_repeat_with_the_generator_and_leave_the_global_one_alone():
    vae, x = small_vae(), normal(5, 4)
    draws = [
        lambda g: vae.elbo(x, generator=g, samples=2).elbo,
        lambda g: vae.log_likelihood(x, samples=3, generator=g),
        lambda g: vae.sample(3, generator=g),
    ]
    before = torch.random.get_rng_state()
    for draw in draws:
        torch.testing.assert_close(draw(seeded(5)), draw(seeded(5)), rtol=0, atol=0)
        assert not torch.equal(draw(seeded(5)), draw(seeded(6)))
    assert torch.equal(torch.random.get_rng_state(), before)


# --- edges --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_any_batch_size_and_dtype(rows, dtype):
    for network in (
        BernoulliGenerator(2, 4),
        GaussianGenerator(2, 4, var=0.1),
        GaussianGenerator(2, 4, var=None),
    ):
        vae = VAE(InferenceNetwork(4, 2), network).to(dtype)
        x = torch.rand(rows, 4, generator=seeded(), dtype=dtype)
        terms = vae.elbo(x, generator=seeded(), samples=2)
        likelihood = vae.log_likelihood(x, samples=2, generator=seeded())
        for value in (terms.reconstruction, terms.kl, terms.elbo, likelihood):
            assert value.shape == (rows,)
            assert value.dtype == dtype
            assert value.isfinite().all()


def test_float32_agrees_with_float64():
    vae, x = small_vae(), normal(5, 4)
    q = vae.posterior(x)
    z = q.mean + q.var.sqrt()
    exact = vae.decode(z).log_prob(x) - gaussian_kl(q.mean, q.var)
    vae.float()
    q = vae.posterior(x.float())
    z = q.mean + q.var.sqrt()
    single = vae.decode(z).log_prob(x.float()) - gaussian_kl(q.mean, q.var)
    # About 20 terms of size below 50, each through a few roundings of 1.2e-7: 20 · 50 · 4 · 1.2e-7.
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=5e-4)


def test_nan_stays_in_its_row():
    vae, x = small_vae(), normal(3, 4)
    x[1, 2] = math.nan
    assert vae.elbo(x, generator=seeded()).elbo.isnan().tolist() == [False, True, False]
    estimate = vae.log_likelihood(x, samples=3, generator=seeded())
    assert estimate.isnan().tolist() == [False, True, False]


def test_elbo_terms_subtract_the_kl():
    terms = ElboTerms(reconstruction=torch.tensor([-5.0]), kl=torch.tensor([2.0]))
    assert terms.elbo.tolist() == [-7.0]


def test_methods_refuse_bad_arguments():
    vae = small_vae()
    with pytest.raises(ShapeError) as error:
        vae.posterior(torch.zeros(2, 2, 2))
    assert str(error.value) == (
        "VAE.posterior: x must have shape (batch, features); got (2, 2, 2). "
        "Flatten each example, or add a batch dimension with x[None]."
    )
    with pytest.raises(ShapeError) as error:
        vae.elbo(torch.zeros(3, 2), generator=seeded())
    assert str(error.value) == (
        "VAE.posterior: x must have 4 features in its last dimension; got shape (3, 2). "
        "Flatten each example, and check that x and z are not swapped."
    )
    with pytest.raises(ShapeError, match=r"VAE\.decode: z must have 2 features"):
        vae.decode(torch.zeros(3, 4))
    x = normal(3, 4)
    with pytest.raises(
        ArgumentError, match=r"VAE\.elbo: samples must be a whole number of at least"
    ):
        vae.elbo(x, generator=seeded(), samples=0)
    with pytest.raises(ArgumentError, match=r"VAE\.log_likelihood: chunk must be a whole number"):
        vae.log_likelihood(x, samples=4, generator=seeded(), chunk=0)
    with pytest.raises(ArgumentError, match=r"VAE\.sample_prior: n must be a whole number"):
        vae.sample(0, generator=seeded())
