"""All equations of the ledger, in the chapter's order."""

from __future__ import annotations

from gm_course.ledger import (
    adversarial_networks,
    gan_analysis,
    inference_networks,
    latent_variables,
    probabilistic_models,
    reparameterisation,
    vae_training,
    wasserstein_gan,
)
from gm_course.ledger.equation import Equation

EQUATIONS: tuple[Equation, ...] = (
    *probabilistic_models.EQUATIONS,
    *latent_variables.EQUATIONS,
    *inference_networks.EQUATIONS,
    *reparameterisation.EQUATIONS,
    *vae_training.EQUATIONS,
    *adversarial_networks.EQUATIONS,
    *gan_analysis.EQUATIONS,
    *wasserstein_gan.EQUATIONS,
)
