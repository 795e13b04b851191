# %% [markdown]
# # 10 · Evaluating generative models (生成模型的评价)
#
# *Section 13.4 of the chapter.*
#
# You can now train three kinds of generative models. Which one is best? For a classifier the question has an answer: count the mistakes on examples it has
# not seen. A generative model has nothing to count. It learns from images without labels, and an image it draws is neither right nor wrong. The
# chapter ends with this observation: unsupervised generative models share the weakness that their evaluation is not objective.
#
# That is not an excuse for not measuring. It is a reason to know exactly what each measure sees, and what it does not. In this lecture a **VAE** (变分自编码器),
# a **GAN** (生成对抗网络) and a **W-GAN** learn the same digits under the same budget. Then they are judged, together with two cheats that know nothing about
# generating and are there to expose the measures.
#
# **After this lecture you will be able to**
#
# - compare models fairly: same data, same network, same number of updates, same number of samples;
# - say for which models a log-likelihood (对数似然) is defined, and why the detour by a Parzen window (Parzen 窗) misleads;
# - compute a class score, the Fréchet distance (Fréchet 距离), and precision and recall (精确率, 召回率) of samples, say what each one measures, and name the failure that it overlooks;
# - look for memorised training images with nearest neighbours;
# - explain why no single number settles which generative model is best.
#
# **You need** lectures [5](05-training-a-vae.ipynb), [6](06-generative-adversarial-networks.ipynb) and [9](09-wasserstein-gan.ipynb). In shapes, $B$ is the
# number of images in a batch, $N$ that of images in a set, $D=784$ that of pixels, and $d=20$ the dimension of $z$. Logarithms are natural, so log-likelihoods are in nats.

# %%
import math

import torch
from torch import nn

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between
from gm_course.data import Batches, load_mnist

runtime = gm_course.setup(seed=0)
train_set = load_mnist("train", device=runtime.device)
test_set = load_mnist("test", device=runtime.device)
claim("at least 4,000 digits to learn from", len(train_set) >= 4_000)
claim("and at least 1,000 held out", len(test_set) >= 1_000)

# %% [markdown]
# ## 1 · Three models under one budget
#
# A comparison is worth as much as what it keeps equal. All three models get
#
# - the same images, in grey;
# - the same **generator network** (生成网络): 20 numbers of noise, one hidden layer of 256 units (500 in the profile `full`), and 784 pixels squashed into $[0,1]$ by a sigmoid;
# - a second network with a hidden layer of the same width beside it: the inference network (推断网络) of the VAE, the discriminator (判别网络) of the GAN, the critic (评价网络) of the W-GAN;
# - the same number of updates of the generator network, with batches of $B=64$, and each the learning rate that suits it.
#
# Even so the budget is not equal in every sense: the W-GAN's critic moves twice as often as its generator and pays for its gradient penalty, so it
# takes more time. Which of updates, time and energy is the budget? The answer is a choice, and a paper should say which one it made.
#
# Ours is small, so that you need not wait: expect rough digits. For measures that is no drawback, since there is more to tell apart.

# %%
from gm_course.gan import NoiseGenerator, ScoreNetwork
from gm_course.networks import BernoulliGenerator, InferenceNetwork
from gm_course.vae import VAE

hidden = runtime.sizes.contest_hidden


class DigitGenerator(NoiseGenerator):
    """Maps z (B, 20) to images (B, 784) with pixels in [0, 1]."""

    def forward(self, z):
        return self.layers(z).sigmoid()


def score_network():
    return ScoreNetwork(784, hidden=hidden, activation=lambda: nn.LeakyReLU(0.2)).to(runtime.device)


# %%
vae = VAE(InferenceNetwork(784, 20, hidden=hidden), BernoulliGenerator(20, 784, hidden=hidden))
vae = vae.to(runtime.device)
gan_generator = DigitGenerator(20, 784, hidden=hidden).to(runtime.device)
wgan_generator = DigitGenerator(20, 784, hidden=hidden).to(runtime.device)


# %%
def parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


sizes = [parameters(network) for network in (vae.generator, gan_generator, wgan_generator)]
claim("the three generator networks have equally many parameters", len(set(sizes)) == 1)

# %% [markdown]
# The **VAE** maximises the ELBO (证据下界) of lecture 5. Its decoder is a Bernoulli distribution for every pixel, so each time a batch is used, its grey values are taken as
# probabilities and a binary image is drawn (dynamic binarisation, 动态二值化).

# %%
from gm_course.profiles import MOST_PASSES
from gm_course.training import Player, Trainer

UPDATES = min(runtime.sizes.contest_updates, MOST_PASSES * (len(train_set) // 64))


def train(players) -> None:
    batches = Batches(train_set.images, 64, generator=runtime.generator(1))
    Trainer(players, batches, generator=runtime.generator(2)).run(UPDATES)


def negative_elbo(x, generator):
    binary = torch.bernoulli(x, generator=generator)  # (B, 784)
    return {"loss": -vae.elbo(binary, generator=generator).elbo.mean()}


train({"vae": Player(vae, torch.optim.Adam(vae.parameters(), lr=2e-3), negative_elbo)})

# %% [markdown]
# The **GAN** plays Algorithm 13.1 with one discriminator step per generator step and the non-saturating (非饱和) loss; the **W-GAN** plays Algorithm 13.2 with two critic steps,
# Adam in place of RMSProp, and the gradient penalty (梯度惩罚) in place of clipping. Both are written out in lectures [6](06-generative-adversarial-networks.ipynb) and [9](09-wasserstein-gan.ipynb).

# %%
from gm_course.adversarial_training import gan_players, wgan_players


def adam(network, rate: float):
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.9))


discriminator = score_network()
players = gan_players(
    gan_generator,
    discriminator,
    generator_optimiser=adam(gan_generator, 5e-4),
    discriminator_optimiser=adam(discriminator, 5e-4),
)
train(players)

# %%
critic = score_network()
players = wgan_players(
    wgan_generator,
    critic,
    generator_optimiser=adam(wgan_generator, 1e-3),
    critic_optimiser=adam(critic, 1e-3),
    critic_steps=2,
    penalty=10.0,
)
train(players)

# %% [markdown]
# ## 2 · Look at the samples first
#
# No measure replaces looking. We keep 1,000 held-out digits and draw as many images from each model. For the VAE the image of the decoder's *probabilities* is
# shown, as is usual; a sample in the strict sense would be a binary image, with noise in every pixel.

# %%
COUNT = 1_000
held_out = test_set.images[:COUNT]
with torch.no_grad():
    z = vae.sample_prior(COUNT, generator=runtime.generator(3))
    samples = {
        "VAE": vae.decode(z).mean,
        "GAN": gan_generator.sample(COUNT, generator=runtime.generator(3)),
        "W-GAN": wgan_generator.sample(COUNT, generator=runtime.generator(3)),
    }
rows = {"held-out digits": held_out[:14]} | {k: v[:14] for k, v in samples.items()}
plotting.image_rows({name: images.reshape(-1, 28, 28) for name, images in rows.items()}, scale=0.6)

# %% [markdown]
# **What to see.** The three make different mistakes. The VAE's digits are smooth and pale, as if out of focus: its likelihood punishes a wrong pixel heavily and a grey one
# lightly, so where it is uncertain it paints grey. The GAN's and the W-GAN's strokes are as black as real ink, but they come in blots and fragments, and many a shape is no digit: nothing
# in their loss asks for every pixel to be right, as long as the other network cannot tell. Which is better? You may have an opinion. Now try to defend it
# with a number.

# %% [markdown]
# ## 3 · The log-likelihood, where there is one
#
# The oldest measure is the one every model with a density can be asked for: how probable are digits that it has not seen? For the VAE, $\log p_\theta(x)$ is bounded from below by
# importance sampling (重要性采样, lecture 5, section 7) with $K$ samples of the latent variable (隐变量):
#
# $$\log p_\theta(x)\;\ge\;E\Big[\log\frac1K\sum_{k=1}^K\frac{p_\theta(x,z^{(k)})}{q(z^{(k)}|x)}\Big],\qquad z^{(k)}\sim q(z|x).$$
#
# A number in nats means little alone. The plainest reference is a model in which the pixels are independent: pixel $i$ is black with the probability $\bar x_i$, its average over
# the training set.

# %%
binary_test = torch.bernoulli(held_out, generator=runtime.generator(4))
per_digit = vae.log_likelihood(binary_test, samples=100, generator=runtime.generator(5))  # (N,)
log_likelihood = per_digit.mean()

pixel = train_set.images.mean(dim=0).clamp(1e-3, 1 - 1e-3)  # x̄, (784,)
independent = (binary_test * pixel.log() + (1 - binary_test) * (1 - pixel).log()).sum(dim=1).mean()

claim_between("nats per digit, independent pixels", independent, -220, -190)
claim_between("nats per digit, VAE (bound with K = 100)", log_likelihood, -125, -85)

# %% [markdown]
# The VAE explains a digit with about 100 nats less surprise. For the GAN and the W-GAN there is no number to put beside it. Their $p_\theta(x)$ is **implicit** (隐式密度): the
# samples lie on a surface of at most 20 dimensions in a space of 784. Such a distribution has no density, and an image off the surface, as held-out digits almost surely are,
# has probability 0 together with a whole neighbourhood: if anything, its log-likelihood is $-\infty$. That is a fact about the model class, not about its pictures.
#
# ### The detour by a Parzen window
#
# Early papers drew samples $s_1,\dots,s_N$ from the GAN, put a Gaussian of width $h$ on each, and reported the log-likelihood of *that*:
#
# $$\hat p(x)=\frac1N\sum_{n=1}^N N(x;\,s_n,\,h^2I).$$
#
# In 784 dimensions a few thousand bumps cannot fill the space, and the number says next to nothing about the sampler. Theis, van den Oord and Bethge (2016) showed how badly it ranks:
# the *centres of k-means clusters* ($k$ 均值), averages that nobody would call samples, beat real digits. Let us see.


# %%
def parzen(samples, x, h: float = 0.2):
    """Mean log-density of x (M, D) under Gaussians of width h around samples (N, D), in nats."""
    log_kernels = -0.5 * (torch.cdist(x, samples) / h).square()  # (M, N)
    normaliser = math.log(len(samples)) + 0.5 * x.shape[1] * math.log(2 * math.pi * h**2)
    return (log_kernels.logsumexp(dim=1) - normaliser).mean().item()


# %%
from sklearn.cluster import KMeans

digits = train_set.images.cpu().numpy()
centres = KMeans(500, init="random", n_init=1, max_iter=4, random_state=0).fit(digits)
centres = torch.as_tensor(centres.cluster_centers_, dtype=torch.float32, device=runtime.device)

validation, others = held_out[: COUNT // 2], held_out[COUNT // 2 :]
real_digits, cluster_centres = parzen(others, validation), parzen(centres, validation)
claim("500 real digits get a worse Parzen score than 500 averages", real_digits < cluster_centres)
claim_between("by so many nats", cluster_centres - real_digits, 60, 180)

# %% [markdown]
# The reason: a bump rewards a small Euclidean distance and nothing else. If $s$ is a random digit of a cluster with centre $c$, then $E\|x-s\|^2=\|x-c\|^2+E\|s-c\|^2$ for every $x$: to a new digit
# the centre is closer than the cluster's digits are on average, by the cluster's own spread.
#
# A measure by which the truth loses against blurred averages by about a hundred nats is of no use. Where there is no density, we need measures that look at samples.

# %% [markdown]
# ## 4 · A judge that has learned to see
#
# Distances between images, pixel by pixel, are poor judges. Shift a digit by two pixels, and it means the same but lies far from itself:

# %%
moved = held_out.reshape(-1, 28, 28).roll(2, dims=2).reshape(-1, 784)  # two pixels to the right
to_itself = (moved - held_out).norm(dim=1)
to_another = torch.cdist(held_out, train_set.images).min(dim=1).values
claim(
    "9 of 10 digits lie farther from their shifted copy than from some training digit",
    (to_itself > to_another).float().mean() > 0.9,
)

# %% [markdown]
# So we train a small convolutional classifier and use what it computes: its class probabilities $p(y|x)$, and the 64 **features** (特征) of its last hidden layer, in which digits that mean
# the same are close. The judge must not be trained on the digits it will compare with, so it learns from the training set only.


# %%
class Classifier(nn.Module):
    """A judge of digits: 64 features, and log p(y|x) for ten classes."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU()),  # (B, 16, 14, 14)
            *(nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.ReLU()),  # (B, 32, 7, 7)
            *(nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU()),  # (B, 64)
        )
        self.head = nn.Linear(64, 10)

    def features(self, x):
        return self.body(x.reshape(-1, 1, 28, 28))

    def forward(self, x):
        return self.head(self.features(x)).log_softmax(dim=1)


# %%
classifier = Classifier().to(runtime.device)


def cross_entropy(rows, generator):
    return {
        "loss": nn.functional.nll_loss(classifier(train_set.images[rows]), train_set.labels[rows])
    }


optimiser = torch.optim.Adam(classifier.parameters(), lr=2e-3)
numbers = torch.arange(len(train_set.images), device=runtime.device)
batches = Batches(numbers, 64, generator=runtime.generator(6))
player = Player(classifier, optimiser, cross_entropy)
_ = Trainer({"classifier": player}, batches, generator=runtime.generator(7)).run(600)

with torch.no_grad():
    accuracy = (classifier(test_set.images).argmax(dim=1) == test_set.labels).float().mean()
claim_between("accuracy of the judge on held-out digits", accuracy, 0.9, 1)

# %% [markdown]
# ### The contestants
#
# Beside the three models stand a reference and two cheats:
#
# - **held-out digits**: real ones. A measure that does not rank them near the top has disqualified itself.
# - **copies**: digits of the training set, returned unchanged. A model that memorised everything.
# - **one of each**: the most typical training digit of each class, repeated. A model with ten images. (Typical: its features are closest to the average features of its class.)
#
# Measures of samples depend on how many there are, so every contestant sends 500, and they are compared with 500 held-out digits that are not among them.

# %%
typical = []
for digit in range(10):
    members = train_set.images[train_set.labels == digit]
    with torch.no_grad():
        values = classifier.features(members)
    typical.append(members[(values - values.mean(dim=0)).norm(dim=1).argmin()])

# %%
shuffled = torch.randperm(len(train_set.images), generator=torch.Generator().manual_seed(1))
contestants = {
    "held-out digits": others,
    "copies": train_set.images[shuffled[: len(others)]],
    "one of each": torch.stack(typical).repeat(len(others) // 10, 1),
} | {name: images[: len(others)] for name, images in samples.items()}

with torch.no_grad():
    real_features = classifier.features(validation)
    features = {name: classifier.features(images) for name, images in contestants.items()}
    log_probabilities = {name: classifier(images) for name, images in contestants.items()}

# %% [markdown]
# ### Class score: is it a digit, and are there all kinds?
#
# A good sample is one of which the judge is certain: $p(y|x)$ is peaked. A good *set* of samples contains all classes: the average $\bar p(y)=\frac1N\sum_np(y|x_n)$ is flat.
# Both together make the divergence of each from the average large (Salimans and others 2016, with a different judge: the *inception score*):
#
# $$S=\exp\Big(\frac1N\sum_{n=1}^N \mathrm{KL}\big(p(y|x_n),\,\bar p(y)\big)\Big),\qquad 1\le S\le 10.$$
#
# Multiply out the logarithm in the KL, and the exponent becomes a difference of entropies (熵), $H(p)=-\sum_yp(y)\log p(y)$:
#
# $$\log S=H(\bar p)-\frac1N\sum_{n=1}^NH\big(p(y|x_n)\big).$$
#
# The first term asks for variety of classes and is at most $\log10$, the second for certainty and is at least 0. So $S=10$ when the judge is certain of every sample and all ten classes are as
# many, and $S=1$ when it says the same of every sample.

# %%
from gm_course.evaluation import class_score

score = {
    name: class_score(log_p.cpu().double()).item() for name, log_p in log_probabilities.items()
}
claim_between("class score of held-out digits", score["held-out digits"], 8.5, 10)
claim(
    "ten images, one of each kind, score higher than 500 different real digits",
    score["one of each"] > score["held-out digits"],
)
claim("all three models score above 4", all(score[name] > 4 for name in samples))

# %% [markdown]
# The first cheat is exposed, and with it the measure: the class score sees nothing *within* a class. A GAN whose modes have collapsed to one image per digit (模型坍塌, lecture
# [8](08-gan-analysis.ipynb)) would be its champion.
#
# ### Fréchet distance: do the features have the same mean and spread?
#
# Take the features of real digits and of samples as two clouds of points, and fit a Gaussian to each, with means $\mu_1,\mu_2$ and covariances $\Sigma_1,\Sigma_2$. Now move one Gaussian
# onto the other as cheaply as lecture 9 does, except that a step costs the *square* of its length: this is the squared Wasserstein distance of order 2, and for Gaussians there is a formula
# (Dowson and Landau 1982; used for samples by Heusel and others 2017, and with the features of one particular judge known as *FID*):
#
# $$F=\|\mu_1-\mu_2\|^2+\operatorname{tr}\Sigma_1+\operatorname{tr}\Sigma_2-2\operatorname{tr}\big(\Sigma_1^{1/2}\,\Sigma_2\,\Sigma_1^{1/2}\big)^{1/2}.$$
#
# In one dimension it is $(\mu_1-\mu_2)^2+(\sigma_1-\sigma_2)^2$, where $\sigma$ is the standard deviation: the cheapest plan shifts one mean onto the other and stretches. A set with one
# image per class has the wrong spread, and is noticed.

# %%
from gm_course.evaluation import frechet_distance

frechet = {
    name: frechet_distance(values.cpu().double(), real_features.cpu().double()).item()
    for name, values in features.items()
}
real = frechet["held-out digits"]
claim("real against real is not 0: that is the noise of 500 samples", real > 0)
claim("copies are within a factor of 3 of it", frechet["copies"] < 3 * real)
claim("one of each is at least 5 times as far", frechet["one of each"] > 5 * real)
claim("so is every model, at least twice", all(frechet[name] > 2 * real for name in samples))

# %% [markdown]
# Two traps. The distance depends on the number of samples, because an estimated covariance is noisy; never compare values from sets of different size. And it sees two moments only: what has the
# right mean and covariance is perfect to it.

# %%
few = frechet_distance(
    features["held-out digits"][:100].cpu().double(), real_features.cpu().double()
)
claim("the same real digits, only 100 of them: at least 1.5 times as far", few > 1.5 * real)

# %% [markdown]
# ### Precision and recall: quality and coverage apart
#
# One number cannot say *what* is wrong: bad samples, or missing ones. Kynkäänniemi and others (2019) measure both. Around every real feature vector lies a ball that reaches to its third-nearest
# real neighbour; the union of these balls is where real digits live. **Precision** is the share of samples in there. Exchange the roles, and **recall** is the share of real digits that live
# where samples do.

# %%
from gm_course.evaluation import precision_recall

shares = {name: precision_recall(values, real_features) for name, values in features.items()}
for name in ("held-out digits", "copies"):
    claim(f"{name}: precision and recall above 0.75", min(shares[name]) > 0.75)
claim("one of each: precision above 0.8", shares["one of each"].precision > 0.8)
claim("one of each: recall below 0.05", shares["one of each"].recall < 0.05)
claim(
    "every model falls short of real digits in precision",
    all(shares[name].precision < shares["held-out digits"].precision for name in samples),
)

# %%
figure, (axis,) = plotting.new_figure(size=(5.2, 4.2))
for (name, (precision, recall)), colour, marker in zip(
    shares.items(), plotting.COLOURS, plotting.MARKERS, strict=False
):
    axis.plot(recall, precision, marker, color=colour, markersize=10, label=name)
axis.set(xlabel="recall: coverage of the real digits", ylabel="precision: quality of the samples")
axis.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
axis.legend(loc="lower left")
figure

# %% [markdown]
# **What to see.** The top right corner is where real digits are. The cheat with ten images sits in the top left corner: perfect quality, no coverage, and now it is plain what is wrong with
# it. (Its copies of one image lie on top of each other, so its balls have radius 0 and cover nothing.) The three models lie below the real digits in quality, and differ most in coverage.
# The other cheat, the copies, cannot be told from the real digits, and no measure so far has told them apart.

# %% [markdown]
# ## 5 · Is it memorising?
#
# A model that returns its training set has learned nothing, yet every measure above praises it. The test is to look at the **nearest training image** (最近邻) of each sample, here by
# Euclidean distance in pixels, and to compare with what a new real digit would show: held-out digits have nearest training neighbours too. Let $r$ be the mean distance of a
# contestant's images from their nearest training images, divided by that of the held-out digits: 0 for copies, about 1 for new digits.

# %%
from gm_course.evaluation import nearest_neighbours

near = {name: nearest_neighbours(x, train_set.images, count=4) for name, x in contestants.items()}
distance = {name: found.distances[:, 0].mean().item() for name, found in near.items()}
ratio = {name: value / distance["held-out digits"] for name, value in distance.items()}  # r
claim("copies are at distance 0", distance["copies"] == 0)
claim(
    "every model keeps at least half the distance of new digits",
    all(ratio[name] > 0.5 for name in samples),
)
closest = min(near[name].distances[:, 0].min().item() for name in samples)
claim("no sample is a copy: the closest one is more than 1 away", closest > 1)

# %%
from gm_course.plotting.evaluation import neighbour_pairs

shown = {}
for name in samples:
    nearest = train_set.images[near[name].indices[:14, 0]]
    shown[name] = (contestants[name][:14].reshape(-1, 28, 28), nearest.reshape(-1, 28, 28))
neighbour_pairs(shown)

# %% [markdown]
# **What to see.** Below each sample stands the training digit that is nearest to it. Where a sample is a recognisable digit, its neighbour usually is the same digit, and never the same image. Mind
# the limits of the test: a distance in pixels is large for rubbish, too, and small for anything smooth and grey, so being far from the training set proves no quality and being near it no
# copying. And a copy that is shifted by two pixels escapes, as section 4 has shown.
#
# **Explore it.** Choose a model and walk through its samples. Look for a sample of which the judge is certain and you are not: such images are what a generator that was trained against
# *this* judge would produce.

# %%
from gm_course.plotting.evaluation import sample_and_neighbours
from gm_course.widgets import Explorer, choice, whole_number_slider


def look(model, number):
    indices, distances = near[model].indices[number], near[model].distances[number]
    return sample_and_neighbours(
        contestants[model][number].reshape(28, 28),
        train_set.images[indices].reshape(-1, 28, 28),
        distances.tolist(),
        log_probabilities[model][number].exp().cpu(),
    )


Explorer(
    look,
    model=choice("model", list(samples)),
    number=whole_number_slider("sample number", 0, 99, start=0),
)

# %% [markdown]
# ## 6 · No single number
#
# Put everything into one table. Darker is better in its column, and the best is bold. The Fréchet distance is better when it is small. The last column is $r$ or $1/r$, whichever is
# smaller: the nearest training digit should be as far as it is for new digits, so 1 is best.

# %%
from gm_course.plotting.evaluation import rank_table

columns = {
    "log-likelihood": {"VAE": log_likelihood.item()},
    "class score": score,
    "-Fréchet": {name: -value for name, value in frechet.items()},
    "precision": {name: share.precision for name, share in shares.items()},
    "recall": {name: share.recall for name, share in shares.items()},
    "not copied": {name: min(r, 1 / r) if r > 0 else 0.0 for name, r in ratio.items()},
}
table = [[column.get(name, math.nan) for column in columns.values()] for name in contestants]
rank_table(torch.tensor(table), rows=list(contestants), columns=list(columns))

# %%
best = {measure: max(column, key=column.get) for measure, column in columns.items()}
claim("the measures do not agree on the best contestant", len(set(best.values())) >= 3)
won_by_cheats = sum(name in ("copies", "one of each") for name in best.values())
claim("a cheat is best in at least two columns", won_by_cheats >= 2)
orders = {
    tuple(sorted(samples, key=column.get))
    for column in columns.values()
    if samples.keys() <= column.keys()
}
claim("nor on the order of the three models", len(orders) >= 2)

# %% [markdown]
# **What to see.** No row is best throughout, not even that of the real digits: the cheats are ahead of them in several columns. (The judge has seen the copies in training, and is a little
# more certain of them than of new digits.) Among the three models the order changes from column to column. Each measure has its own champion and its own blind spot:
#
# | measure | sees | is blind to |
# |---|---|---|
# | log-likelihood | whether every new digit is thought possible | how samples look; not defined for a GAN |
# | Parzen window | next to nothing in high dimension | |
# | class score | certainty and balance of classes | variety within a class; copying |
# | Fréchet distance | mean and covariance of features | anything beyond two moments; copying |
# | precision | quality | missing modes; copying |
# | recall | coverage | bad samples among the good ones; copying |
# | nearest neighbours | copying | quality and coverage |
#
# Good log-likelihood and good samples do not even imply each other (Theis and others 2016). Mix a good density model with 99 % noise, $p=0.01\,p_{\text{good}}+0.99\,p_{\text{noise}}$: 99 of 100
# samples are rubbish, and since $p\ge0.01\,p_{\text{good}}$ the log-likelihood falls by at most $\log 100\approx 4.6$ nats, on a scale where models differ by 100. The other way round, the copies are perfect samples with a log-likelihood of $-\infty$ on
# every new digit.

# %%
fair_coins = -784 * math.log(2)  # log-likelihood of an image whose pixels are thrown like coins
spoilt = torch.logaddexp(
    math.log(0.01) + per_digit, per_digit.new_tensor(math.log(0.99) + fair_coins)
)
claim("99 % coins cost no digit more than 4.7 nats", (per_digit - spoilt < 4.7).all())
claim("and the mixture is still better than independent pixels", spoilt.mean() > independent)

# %% [markdown]
# So decide first what the model is *for*. Do you need probabilities, to compress or to detect what is unusual? Then ask for the likelihood. Pictures to look at? Then precision, and people's
# judgement. New data to train on? Then recall, and the accuracy of what was trained on them. Report several measures, on as many samples for every model, with the spread over several seeds,
# and show samples that were not picked.
#
# **Try it.** Train the GAN four times as long (`UPDATES`), or give it a smaller generator, and fill the table again. Do all columns move in the same direction?

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | an excellent FID that nobody can repeat | another number of samples, other features, other image resizing | recompute both sides with one program |
# | a likelihood better than every published one | grey values under a Bernoulli model, or another binarisation | it is not a likelihood; lecture 5 |
# | perfect precision and recall | the model copies | nearest neighbours |
# | class score above that of real data | samples at the judge's extremes, one per class | recall |
# | a GAN that "beats" a VAE in likelihood | a Parzen window | the k-means test of section 3 |
# | the best of ten runs | picked after looking at the test set | report the mean and the spread of all runs |
#
# ## Questions
#
# 1. Why does the VAE's log-likelihood refer to binary images, and could it be compared with that of a model of grey images?
#
# <details><summary>Answer</summary>
#
# Its decoder gives probabilities of zeros and ones. A model of grey images has a *density*, whose value depends on the unit in which grey is measured; the two numbers have nothing in common.
#
# </details>
#
# 2. A GAN is trained with the judge's features as an extra loss. Its Fréchet distance becomes excellent. What do you conclude?
#
# <details><summary>Answer</summary>
#
# That the measure has become a target. It no longer says anything about the model; use another judge.
#
# </details>
#
# 3. Why are the held-out digits not at Fréchet distance 0 from the other held-out digits, and what would happen with 50,000 of each?
#
# <details><summary>Answer</summary>
#
# Means and covariances of 500 samples differ by chance. The bias falls about as one over the number of samples.
#
# </details>
#
# 4. Which measure would notice that a model never draws a 7 with a crossbar?
#
# <details><summary>Answer</summary>
#
# Recall, if the features tell the two kinds of 7 apart, and the log-likelihood, which falls for every crossed 7. The class score would not.
#
# </details>
#
# ## Summary of the lecture, and of the chapter
#
# - A comparison needs equal data, networks, budgets and numbers of samples; say which budget.
# - Likelihood is defined for explicit models only. A Parzen window is no substitute.
# - Class score, Fréchet distance, precision and recall see different things, and a memoriser passes all of them.
# - No single number settles it. State the purpose, then choose the measures.
#
# | | VAE | GAN | W-GAN |
# |---|---|---|---|
# | density | explicit, with a bound | implicit | implicit |
# | trained by | maximising the ELBO | a minimax game (最小化最大化游戏) | a minimax game with a Lipschitz critic |
# | minimises | $\mathrm{KL}(p_r,p_\theta)$, up to the bound's gap | if $D$ were optimal: $\mathrm{JS}$ (saturating loss), reverse KL minus 2 JS (non-saturating) | if the critic were optimal: the Wasserstein distance, up to a factor |
# | training | stable | delicate | more stable, slower |
# | typical fault | blur, posterior collapse (后验坍塌) | mode collapse | critic not Lipschitz enough, or too flat |
# | codes for given images | yes, the inference network | no | no |
#
# ## Further reading
#
# Three lines of work go on from here. *Normalising flows* (标准化流) make $G$ invertible, so that the density of a pushforward can be computed (Rezende and Mohamed 2015; Dinh, Sohl-Dickstein and Bengio 2017). *Diffusion models* (扩散模型) are
# hierarchical VAEs with a fixed inference network that adds noise step by step (Ho, Jain and Abbeel 2020). *Autoregressive models* (自回归模型) factorise $p(x)$ pixel by pixel (van den Oord, Kalchbrenner and Kavukcuoglu 2016) and have an exact likelihood. The measures of this lecture apply to
# all of them, blind spots included.
#
# ## References
#
# - L. Theis, A. van den Oord, M. Bethge, *A Note on the Evaluation of Generative Models*, 2016.
# - T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen, *Improved Techniques for Training GANs*, 2016.
# - D. C. Dowson, B. V. Landau, *The Fréchet Distance between Multivariate Normal Distributions*, 1982.
# - M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter, *GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium*, 2017.
# - T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila, *Improved Precision and Recall Metric for Assessing Generative Models*, 2019.
# - Y. Burda, R. Grosse, R. Salakhutdinov, *Importance Weighted Autoencoders*, 2016.
# - D. J. Rezende, S. Mohamed, *Variational Inference with Normalizing Flows*, 2015.
# - L. Dinh, J. Sohl-Dickstein, S. Bengio, *Density Estimation Using Real NVP*, 2017.
# - J. Ho, A. Jain, P. Abbeel, *Denoising Diffusion Probabilistic Models*, 2020.
# - A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016.
