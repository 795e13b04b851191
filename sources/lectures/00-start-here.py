# %% [markdown]
# # 0 · Start here
#
# This is a course on **deep generative models** (深度生成模型): the variational autoencoder (变分自编码器, VAE), the generative adversarial
# network (生成对抗网络, GAN), its convolutional form (DCGAN), and the Wasserstein GAN (W-GAN). It follows chapter 13 of a Chinese textbook, section by
# section, and it teaches by running things: the equations you meet are checked by cells you can change.
#
# **After this notebook you will**
#
# - know what is in the course and in which order to read it;
# - have checked that your computer can run it, and on which device it will run;
# - know how to read a claim, and what to do when one fails;
# - have the notation and the English and Chinese terms in one place.
#
# ## What is a generative model?
#
# You have a thousand images of handwritten digits. You would like a machine to write new ones. Somewhere behind the images stands an unknown
# distribution $p_r(x)$; a **generative model** (生成模型) is a distribution $p_\theta(x)$ with parameters $\theta$, fitted to the samples, that can do
# one or both of two things: say how probable an image is (**density estimation**, 密度估计), and produce new images (**sampling**, 采样).
#
# Images live in hundreds of dimensions and on a thin, curved part of that space, so neither is easy. This course follows two answers. The **VAE** writes down a density with hidden causes and
# maximises a lower bound of it. The **GAN** gives up the density and lets two networks play against each other until the samples are right.
#
# ## The course
#
# | notebook | section | the question it answers |
# |---|---|---|
# | [0 · Start here](00-start-here.ipynb) | | does everything work? |
# | [1 · Probabilistic generative models](01-probabilistic-generative-models.ipynb) | 13.1 | what can a model of the data do, and how is it fitted? |
# | [2 · Latent variables and the ELBO](02-latent-variables-and-the-elbo.ipynb) | 13.2.1 | how is a model with hidden causes learned when its likelihood cannot be computed? |
# | [3 · Inference and generator networks](03-inference-and-generator-networks.ipynb) | 13.2.2–13.2.4 | what do the two networks of a VAE compute, and what is lost by sharing one? |
# | [4 · Reparameterisation](04-reparameterisation.ipynb) | 13.2.5 | how does a gradient get through a random sample? |
# | [5 · Training a VAE](05-training-a-vae.ipynb) | 13.2.6 | how is the ELBO computed and trained, and how good is what comes out? |
# | [6 · Generative adversarial networks](06-generative-adversarial-networks.ipynb) | 13.3.1–13.3.3 | how can two networks learn a distribution without its density? |
# | [7 · DCGAN](07-dcgan.ipynb) | 13.3.4 | how is a GAN built for images? |
# | [8 · What a GAN minimises](08-gan-analysis.ipynb) | 13.3.5 | why is it unstable, and why does it forget modes? |
# | [9 · The Wasserstein GAN](09-wasserstein-gan.ipynb) | 13.3.6 | which distance helps, and how is it computed by a network? |
# | [10 · Evaluating generative models](10-evaluating-generative-models.ipynb) | 13.4 | which of the three is best, and why is there no single answer? |
#
# Each lecture says at the top what you need for it. They build on each other, but whoever is here for GANs may go from 1 to 6.
#
# | exercise | the question |
# |---|---|
# | [13-1](../exercises/13-1.ipynb) | how is the gradient of an expectation over a discrete variable computed? |
# | [13-2](../exercises/13-2.ipynb) | where does the training objective (13.28) of a VAE come from? |
# | [13-3](../exercises/13-3.ipynb) | how does a VAE differ from an autoencoder? |
# | [13-4](../exercises/13-4.ipynb) | what is the best classifier between two densities? |
# | [13-5](../exercises/13-5.ipynb) | which functions are Lipschitz continuous? |
# | [13-6](../exercises/13-6.ipynb) | why can a distance between distributions be computed by a critic? |
#
# Write an answer, run the check below it, and read what it says. The worked answers are in [solutions](../solutions/13-1.ipynb).
#
# ## How to work through it
#
# 1. Open a notebook and run it cell by cell with **Shift+Enter**. The stored outputs are there to compare with.
# 2. Before you run a cell, guess what it will print. Where your guess is wrong, you have found the thing to learn.
# 3. Change something: a number of samples, a learning rate, a sign. The sections called *What commonly goes wrong* suggest what.
# 4. Answer the questions at the end before you unfold the answers.

# %% [markdown]
# ## Does it work here?
#
# Every notebook begins with the same two lines. `setup` seeds the random generators, so that your results repeat; it uses a GPU if
# there is one, and tells you what it picked.

# %% tags=["nbval-ignore-output"] reason="shows the device and thread count of the computer it runs on"
import gm_course

runtime = gm_course.setup(seed=0)
runtime

# %% [markdown]
# You can choose otherwise before you start JupyterLab, with environment variables:
#
# | variable | values | default |
# |---|---|---|
# | `GM_COURSE_DEVICE` | `cpu`, `cuda`, `cuda:1`, `mps` | the best device present |
# | `GM_COURSE_PROFILE` | `quick`: minutes on a laptop; `full`: longer training, meant for a GPU | `quick` |
# | `GM_COURSE_THREADS` | CPU threads; one is fastest for models as small as these | `1` |
# | `GM_COURSE_DATA` | a folder with the full MNIST files | the 5,000 digits that are installed with the course |

# %% [markdown]
# ## How to read a claim
#
# Numbers that come out of random sampling and floating-point arithmetic differ a little from computer to computer. So the notebooks do
# not ask you to compare digits. They state **claims** with a margin and check them as you watch:

# %%
import torch

from gm_course.claims import claim, claim_between

draws = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
claim_between("their mean is near 0, within 5 standard errors", draws.mean(), -0.05, 0.05)
claim_between("their mean square is near 1", draws.square().mean(), 0.9, 1.1)

# %% [markdown]
# A tick (✓) means that the statement was tested and holds. A cross (✗) means that it was tested and does not. If you see a cross in a notebook that you did not change,
# something is broken, and we would like to hear about it. If you see one after you changed something, look closer: that is usually the
# interesting part.
#
# **Try it.** Predict which of these two claims fails, then remove the `#` signs and run the cell.

# %%
# claim_between("mean of |x| for a standard normal x", draws.abs().mean(), 0.95, 1.05)
# claim_between("mean of |x| for a standard normal x", draws.abs().mean(), 0.75, 0.85)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The first. For $x\sim N(0,1)$ the mean of $|x|$ is $\sqrt{2/\pi}\approx 0.80$, not 1; only the mean of $x^2$ is 1.
#
# </details>
#
# ## The digits
#
# The examples run on real handwritten digits, which need no download.

# %%
from gm_course import plotting
from gm_course.data import load_mnist

digits = load_mnist("train")
plotting.image_grid(digits.as_images()[:48, 0], columns=16, title="48 of the training digits")

# %% [markdown]
# **What to see.** Grey images of 28 × 28 pixels, ink drawn black, in ten classes. To a program each one is a row of 784 numbers between 0 (paper) and 1
# (ink), and `digits.labels` says which digit it is. The lectures mostly ignore the labels: a generative model learns from images alone.

# %%
claim("an image is a row of 784 numbers", digits.images.shape[1] == 28 * 28)
claim("every number lies in [0, 1]", digits.images.min() >= 0 and digits.images.max() <= 1)
claim("all ten digits occur", digits.labels.unique().tolist() == list(range(10)))
claim_between("share of ink in an average image", digits.images.mean(), 0.1, 0.16)

# %% [markdown]
# ## Notation
#
# | symbol | meaning |
# |---|---|
# | $x$, $z$ | observed variable (an image, say), latent variable |
# | $p_r(x)$, $p_\theta(x)$ | distribution of the real data, of the model |
# | $q(z|x;\phi)$ | variational distribution, computed by the inference network |
# | $\theta$, $\phi$ | parameters of the generator network; of the inference network, or of the discriminator |
# | $\mu_I$, $\sigma_I^2$ | mean and **variance** that the inference network returns |
# | $\mu_G$, $\sigma_G^2$ | mean and **variance** that the generator network returns |
# | $\lambda$ | variance of a Gaussian decoder |
# | $\varepsilon$ | noise that depends on no parameter, usually $N(0,I)$ |
# | $\log$ | natural logarithm; information is measured in **nats** (1 nat ≈ 1.44 bits) |
# | `var`, `std`, `log_var` | $\sigma^2$, $\sigma$, $\log\sigma^2$ in code, never a bare `sigma` |
# | $B$, $D$, $d$ | examples in a batch, dimensions of $x$, dimensions of $z$ |
# | `elbo-split` and the like | the name of an equation of the chapter, because editions number them differently |
#
# ## Glossary (术语表)
#
# **Models and their likelihood (lectures 1 and 2)**
#
# | English | 中文 | English | 中文 |
# |---|---|---|---|
# | generative model | 生成模型 | discriminative model | 判别模型 |
# | density estimation | 密度估计 | sampling | 采样 |
# | maximum likelihood | 最大似然 | entropy | 熵 |
# | latent variable | 隐变量 | mixture of Gaussians | 高斯混合模型 |
# | expectation–maximisation (EM) | 期望最大化 | responsibility | 责任度 |
# | ancestral sampling | 祖先采样 | pushforward | 推前 |
# | naive Bayes | 朴素贝叶斯 | Gaussian discriminant analysis | 高斯判别分析 |
# | logistic regression | 逻辑回归 | Jensen's inequality | 琴生不等式 (Jensen 不等式) |
# | prior / posterior | 先验 / 后验 | evidence / marginal likelihood | 证据 / 边际似然 |
# | evidence lower bound (ELBO) | 证据下界 | coordinate ascent | 坐标上升 |
# | variational inference | 变分推断 | variational distribution | 变分分布 |
# | mean field | 平均场 | forward / reverse KL | 前向 / 逆向 KL 散度 |
#
# **Variational autoencoders (lectures 3 to 5)**
#
# | English | 中文 | English | 中文 |
# |---|---|---|---|
# | autoencoder | 自编码器 | variational autoencoder | 变分自编码器 |
# | inference network | 推断网络 | generator network | 生成网络 |
# | amortised inference | 摊销推断 | amortisation gap | 摊销差距 |
# | reparameterisation | 再参数化 | pathwise gradient | 路径梯度 |
# | score-function estimator | 得分函数估计 | straight-through estimator | 直通估计 |
# | baseline | 基线 | control variate | 控制变量 |
# | temperature | 温度 | importance sampling | 重要性采样 |
# | latent manifold | 隐变量流形 | posterior collapse | 后验坍塌 |
#
# **Generative adversarial networks (lectures 6 to 9)**
#
# | English | 中文 | English | 中文 |
# |---|---|---|---|
# | generative adversarial network | 生成对抗网络 | explicit / implicit density | 显式 / 隐式密度 |
# | discriminator | 判别网络 | minimax game | 最小化最大化游戏 |
# | cross-entropy | 交叉熵 | logit | 对数几率 |
# | saturating / non-saturating loss | 饱和 / 非饱和损失 | batch normalisation | 批量归一化 |
# | convolution | 卷积 | pooling | 汇聚 / 池化 |
# | stride | 步长 | padding | 填充 |
# | fractionally-strided convolution | 微步卷积 | transposed convolution (the same) | 转置卷积 |
# | checkerboard artefacts | 棋盘效应 | spherical interpolation | 球面插值 |
# | vanishing gradient | 梯度消失 | mode collapse | 模型坍塌 |
# | JS divergence | JS 散度 | critic | 评价网络 |
# | Wasserstein distance | Wasserstein 距离 | earth-mover's distance (the same) | 推土机距离 |
# | optimal transport | 最优传输 | transport plan | 传输方案 (运输方案) |
# | Lipschitz continuous | Lipschitz 连续 | weight clipping | 权重截断 |
# | gradient penalty | 梯度惩罚 | spectral normalisation | 谱归一化 |
#
# **Evaluation (lecture 10)**
#
# | English | 中文 | English | 中文 |
# |---|---|---|---|
# | precision / recall | 精确率 / 召回率 | nearest neighbour | 最近邻 |
# | Fréchet distance | Fréchet 距离 | dynamic binarisation | 动态二值化 |
#
# ## What commonly goes wrong
#
# | symptom | what to do |
# |---|---|
# | `ModuleNotFoundError: gm_course` | the notebook runs in another Python; choose the kernel *Python 3* of the course, or start with `make lab` |
# | `GM_COURSE_DEVICE must name a device of this machine` | the variable names a GPU that is not there; unset it |
# | a cell runs for minutes | press the stop button: a cell that calls `trainer.run` keeps what was trained, and goes on when you run it again; other cells start again |
# | strange errors after jumping between cells | *Kernel → Restart Kernel and Run All Cells*; variables of an earlier cell may have been overwritten |
# | a claim shows ✗ after your change | good: find out why |
#
# ## Summary
#
# You have a working set-up, you know that ✓ and ✗ are the results of tests, and you have seen the data. Go on with
# [lecture 1](01-probabilistic-generative-models.ipynb).
#
# ## Reference
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-Based Learning Applied to Document Recognition*, 1998 (the MNIST digits).
