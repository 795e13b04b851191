# %% [markdown]
# # 7 · DCGAN: adversarial networks made of convolutions (深度卷积生成对抗网络)
#
# *Section 13.3.4 of the chapter.*
#
# The generator and the discriminator of [lecture 6](06-generative-adversarial-networks.ipynb) were fully connected. For images that is a poor
# start: such a network reads an image as a list of numbers in which the pixel to the left is as foreign as the one in the far corner, and a stroke
# learned in one place must be learned anew in every other. Convolutions share their weights over all places. Early attempts to build GANs of
# them, however, failed. Radford, Metz and Chintala (2016) found a set of rules with which they train, and called the result **DCGAN**.
#
# This lecture takes the rules one by one. The generator needs an operation that *enlarges* an image, so we first derive what that is; then the
# architecture follows from arithmetic, and at the end we train it on handwritten digits and look at what it has learned.
#
# **After this lecture you will be able to**
#
# - compute the output size of a convolution (卷积) and of a fractionally-strided convolution (微步卷积), and derive both formulas;
# - say in three ways what a fractionally-strided convolution does: zeros and a flipped kernel, a transposed matrix, the gradient of a convolution;
# - derive the chapter's generator, $100\to4\times4\times1024\to64\times64$, and count its parameters and multiplications;
# - predict checkerboard artefacts (棋盘效应) from kernel and stride;
# - say what batch normalisation (批量归一化) does to a GAN: which images it mixes, and what changes in evaluation mode;
# - train a DCGAN, walk through its latent space (隐空间), and look for memorised images.
#
# **You need** lecture 6: a discriminator (判别网络) returns a logit, whose sigmoid is $D(x)$, the probability that $x$ is real, and a generator
# (生成网络) turns noise $z\sim N(0,I)$ into an image $G(z)$ and minimises $-E\log D(G(z))$. In shapes, $B$ is the number of images in a batch, $C$ that of channels (通道),
# and $H$ the side of an image or feature map (特征图); everything here is square. As in lecture 6, `D` in the code is the network and returns the logit.

# %%
import torch
from torch import nn
from torch.nn import functional

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## 1 · How a convolution shrinks an image
#
# Slide a kernel (卷积核) of side $k$ over an image of side $H$, after adding $p$ zeros at every edge (padding, 填充), and move it by $s$ pixels at a
# time (stride, 步长). How many positions are there? The padded side is $H+2p$. The kernel's left edge can stand at $0, s, 2s,\dots$ as long as its
# right edge stays inside: $js+k\le H+2p$, that is $j\le (H+2p-k)/s$. Counting $j=0$ as well,
#
# $$H_{\text{out}}=\Big\lfloor\frac{H+2p-k}{s}\Big\rfloor+1 .$$
#
# With $k=4$, $s=2$, $p=1$ this is $\lfloor (H-2)/2\rfloor+1 = H/2$ for even $H$: **a strided convolution halves the side**. That is how the discriminator of a DCGAN
# shrinks its image. It needs no pooling (汇聚 or 池化): a fixed rule such as "keep the largest of four" is replaced by weights, and the network learns
# how to shrink.


# %%
def shrunk_size(H: int, kernel: int, stride: int, padding: int) -> int:
    return (H + 2 * padding - kernel) // stride + 1


settings = [
    (H, k, s, p)
    for H in (5, 8, 13) for k in (1, 2, 3, 4, 5) for s in (1, 2, 3) for p in (0, 1, 2)
]  # fmt: skip
agrees = [
    functional.conv2d(torch.ones(1, 1, H, H), torch.ones(1, 1, k, k), stride=s, padding=p).shape[-1]
    == shrunk_size(H, k, s, p)
    for H, k, s, p in settings
]
claim(f"the formula holds for all {len(settings)} settings tried", all(agrees))
claim("kernel 4, stride 2, padding 1: 64 → 32", shrunk_size(64, 4, 2, 1) == 32)

# %% [markdown]
# ## 2 · And back: the fractionally-strided convolution (微步卷积)
#
# The generator must go the other way. The name contains the idea. To make a result *larger*, move the kernel by a *fraction* of a pixel, $1/s$ at a
# time. An image has no pixels at fractions, so make room for them: put $s-1$ zeros between neighbouring pixels, and slide an ordinary kernel over
# the result with stride 1.
#
# Which kernel, and how much padding? We want the operation that *reverses the connections* of the convolution in section 1. There, output $j$ read the (padded) inputs
# $js,\dots,js+k-1$, through the weights $w_0,\dots,w_{k-1}$. Reversed, input $j$ **writes** to the outputs $js,\dots,js+k-1$, with the same weights:
#
# $$y_n=\sum_j w_{n-js}\,x_j \qquad\text{(terms with } 0\le n-js\le k-1\text{)},$$
#
# and then $p$ outputs are cut off at every edge where the convolution had added $p$ zeros. The last of $H$ inputs writes up to position $(H-1)s+k-1$; there are
# $(H-1)s+k$ positions before the cut, and
#
# $$\boxed{\;H_{\text{out}}=(H-1)\,s-2p+k\;}$$
#
# afterwards (Dumoulin and Visin 2016 draw many cases). Now compare with sliding a kernel over the image with inserted zeros, $u_{js}=x_j$: position $n$ receives $\sum_j w_{n-js}\,u_{js}$, so the kernel's index *falls* as
# the position in $u$ rises. What deep-learning libraries call a convolution multiplies with rising index on both sides, so the kernel must be **flipped**. And for
# the first output to exist, one pixel of $u$ must be reached by the kernel's last row, which takes $k-1$ zeros of padding, of which the cut takes $p$ away again. In one line:
# *insert $s-1$ zeros, pad by $k-1-p$, convolve with the flipped kernel.*


# %%
def fractionally_strided(x, kernel, *, stride, padding):
    """x (B, C, H, H), kernel (C, C', k, k) -> (B, C', H', H')."""
    B, C, H, _ = x.shape
    k = kernel.shape[-1]
    side = (H - 1) * stride + 1
    spread = x.new_zeros(B, C, side, side)
    spread[:, :, ::stride, ::stride] = x  # s − 1 zeros between neighbours
    flipped = kernel.flip(2, 3).transpose(0, 1)  # conv2d wants (C', C, k, k)
    return functional.conv2d(functional.pad(spread, [k - 1 - padding] * 4), flipped)


# %%
generator = torch.Generator().manual_seed(1)
deviations, sizes_agree = [], []
for k, s, p in [(3, 1, 0), (3, 2, 1), (4, 2, 1), (5, 2, 2), (5, 3, 0), (4, 4, 0), (2, 3, 1)]:
    x = torch.randn(2, 3, 6, 6, generator=generator, dtype=torch.float64)
    kernel = torch.randn(3, 5, k, k, generator=generator, dtype=torch.float64)
    expected = functional.conv_transpose2d(x, kernel, stride=s, padding=p)
    deviations.append((fractionally_strided(x, kernel, stride=s, padding=p) - expected).abs().max())
    sizes_agree.append(expected.shape[-1] == (6 - 1) * s - 2 * p + k)

claim("inserted zeros and a flipped kernel are conv_transpose2d, to 1e-12", max(deviations) < 1e-12)
claim("H_out = (H − 1)s − 2p + k for each of them", all(sizes_agree))

# %% [markdown]
# With small whole numbers one can follow it by hand:

# %%
from gm_course.plotting.convolutions import number_grids

x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
kernel = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])[None, None]
spread = torch.zeros(5, 5)
spread[::2, ::2] = x[0, 0]
number_grids(
    {
        "input x": x[0, 0],
        "zeros inserted, padded by 1": functional.pad(spread, [1] * 4),
        "kernel": kernel[0, 0],
        "flipped": kernel[0, 0].flip(0, 1),
        "result": fractionally_strided(x, kernel, stride=2, padding=1)[0, 0],
    }
)

# %% [markdown]
# **What to see.** Here $k=3$, $s=2$, $p=1$, and the side grows from 3 to $2\cdot2-2+3=5$. Check one number of the result, say the one in the second row, first column: lay the
# flipped kernel on the padded picture with its top left corner in row 1, column 0 (counted from 0). **Try it:** which inputs does it meet, and where do the other weights go?
#
# <details><summary>Answer</summary>
#
# It covers rows 1 to 3 and columns 0 to 2 of the padded picture, where it meets the inputs 1 and 4, in the middle of its first row and in the middle of its last one. The weights there are 0 and 2, so the result
# is $0\cdot1+2\cdot4=8$. All other weights lie on inserted zeros or on padding.
#
# </details>
#
# ### The same thing as a matrix
#
# A convolution is linear, so it is a matrix $A$ acting on the image written as a column: the entry in row $n$, column $j$ is the weight with which output $n$ reads input $j$. Reversing all connections
# exchanges rows and columns. A fractionally-strided convolution **is multiplication by $A^\top$**, and that is why libraries call it a *transposed* convolution (转置卷积). A line instead
# of an image shows the pattern best:

# %%
kernel = torch.tensor([1.0, 2.0, 3.0])[None, None]
# Column j of A is what the convolution makes of the j-th unit vector.
A = functional.conv1d(torch.eye(7)[:, None], kernel, stride=2)[:, 0].T  # (3, 7)
number_grids({"A: from 7 numbers to 3": A, "its transpose: from 3 numbers to 7": A.T})

# %% [markdown]
# **What to see.** Every row of $A$ holds the kernel once, two columns further to the right than the row above: stride 2. In $A^\top$ every *column* holds the kernel: each of three inputs writes it to three
# outputs, and where two columns overlap, here in rows 2 and 4 (counted from 0), both contributions are added.
#
# The same in two dimensions, and with it a third view. For every matrix, $\langle Ax, y\rangle=\langle x, A^\top y\rangle$, so the gradient of $\langle Ax,y\rangle$ with respect to
# $x$ is $A^\top y$. Backpropagation through a convolution therefore *is* a transposed convolution.

# %%
H, k, s, p = 6, 4, 2, 1
kernel = torch.randn(1, 1, k, k, generator=generator, dtype=torch.float64)


def convolve(x):
    return functional.conv2d(x, kernel, stride=s, padding=p)


units = torch.eye(H * H, dtype=torch.float64).reshape(H * H, 1, H, H)
A = convolve(units).flatten(start_dim=1).T  # (3·3, 6·6)
y = torch.randn(1, 1, 3, 3, generator=generator, dtype=torch.float64)
transposed = functional.conv_transpose2d(y, kernel, stride=s, padding=p)

claim("A has 9 rows and 36 columns", A.shape == (9, 36))
by_matrix = A.T @ y.flatten()
claim(
    "conv_transpose2d multiplies by Aᵀ, to 1e-12",
    (transposed.flatten() - by_matrix).abs().max() < 1e-12,
)

# %%
x = torch.randn(1, 1, H, H, generator=generator, dtype=torch.float64, requires_grad=True)
(gradient,) = torch.autograd.grad((convolve(x) * y).sum(), x)
claim("it is the gradient of a convolution, to 1e-12", (gradient - transposed).abs().max() < 1e-12)

there_and_back = functional.conv_transpose2d(convolve(x), kernel, stride=s, padding=p)
claim("it restores the size of what was convolved", there_and_back.shape == x.shape)
claim(
    "but not the content: AᵀAx differs from x by more than half of x's norm",
    (there_and_back - x).norm() > 0.5 * x.norm(),
)

# %% [markdown]
# The last claim is the reason why the name *deconvolution* (反卷积), which is still met, misleads: that would be an inverse, and a $9\times36$ matrix has none. The transpose
# gives back the *shape* and the *pattern of connections*. What is written there, the network has to learn.
#
# ## 3 · The architecture, by arithmetic
#
# Take $k=4$, $s=2$, $p=1$ in the boxed formula: $H_{\text{out}}=2(H-1)-2+4=2H$. Each such layer **doubles the side**, and a generator that starts from $4\times4$ needs
# four of them for $64\times64$:
#
# $$4\to8\to16\to32\to64 .$$
#
# The $4\times4$ maps come from a fully connected layer that turns the 100 numbers of $z$ into $4\cdot4\cdot1024=16{,}384$; from then on each layer halves the channels,
# $1024\to512\to256\to128$, and the last one makes the three of a colour image. (The paper's kernels have side 5, for which $2H$ needs $p=2$ and one extra row and
# column of output. Section 5 says why we prefer 4.)


# %%
def grown_size(H: int, kernel: int, stride: int, padding: int) -> int:
    return (H - 1) * stride - 2 * padding + kernel


sides = [4]
for _ in range(4):
    sides.append(grown_size(sides[-1], kernel=4, stride=2, padding=1))
claim("four fractionally-strided convolutions: 4 → 8 → 16 → 32 → 64", sides == [4, 8, 16, 32, 64])

# %% [markdown]
# That was arithmetic. Now the network, at full size and untrained. Its layers stand in a list in the order of computation, so we can send two noise vectors through
# and note what comes out of every layer.

# %%
from gm_course.dcgan import DCGANDiscriminator, DCGANGenerator

weights_generator = torch.Generator().manual_seed(2)
chapter_g = DCGANGenerator(generator=weights_generator)  # 64 × 64, three channels, 100-d z
chapter_d = DCGANDiscriminator(generator=weights_generator)

shapes = {}
signal = torch.randn(2, 100, generator=generator)
with torch.no_grad():
    for name, layer in chapter_g.layers.named_children():
        signal = layer(signal)
        shapes[name] = tuple(signal.shape[1:])
for name, shape in shapes.items():
    print(f"{name:8} {type(chapter_g.layers.get_submodule(name)).__name__:16} {shape}")

# %%
from gm_course.plotting.convolutions import feature_maps

maps = {"fully connected, reshaped": shapes["reshape"]} | {
    f"fractionally-strided\nconvolution {i}": shapes[f"up_{side}"]
    for i, side in enumerate(sides[1:], start=1)
}
feature_maps({name: (channels, side) for name, (channels, side, _) in maps.items()})

# %% [markdown]
# **What to see.** The maps grow in side and fade in channels. On the left are few places with many numbers each, on the right many places with three. Now the
# rules of section 13.3.4, each as a claim about the two networks.

# %%
g_layers = dict(chapter_g.layers.named_children())
d_layers = dict(chapter_d.layers.named_children())


def kinds(layers, kind):
    """Names of the layers of one kind, in order."""
    return [name for name, layer in layers.items() if isinstance(layer, kind)]


ups = kinds(g_layers, nn.ConvTranspose2d)
claim("z has 100 numbers", chapter_g.noise_dim == 100)
claim("G: a fully connected layer makes 4 × 4 × 1024", shapes["reshape"] == (1024, 4, 4))
claim("G: then come four fractionally-strided convolutions", len(ups) == 4)
claim("G: the image is 64 × 64 with 3 channels", shapes["tanh"] == (3, 64, 64))

# %%
everything = [*chapter_g.modules(), *chapter_d.modules()]
downs = kinds(d_layers, nn.Conv2d)
strides = [d_layers[name].stride[0] for name in downs]
claim("no pooling in either", not any("Pool" in type(module).__name__ for module in everything))
claim("D: four convolutions of stride 2 and a last one of stride 1", strides == [2, 2, 2, 2, 1])

# %% [markdown]
# The fifth convolution of $D$ has a kernel of side 4 for maps of side 4, and so a single position. It is the logit, and comes up again below. Next, what stands between the convolutions:


# %%
def kind_after(layers, name):
    """Kind of the layer that comes after the named one."""
    names = list(layers)
    return type(layers[names[names.index(name) + 1]]).__name__


after = [kind_after(g_layers, name) for name in ("reshape", *ups)]
claim("G: batch normalisation after all but the last", after == ["BatchNorm2d"] * 4 + ["Tanh"])
after = [kind_after(g_layers, name) for name in kinds(g_layers, nn.BatchNorm2d)]
claim("G: each followed by ReLU", after == ["ReLU"] * 4)
claim("G: Tanh is the last layer", isinstance(chapter_g.layers[-1], nn.Tanh))

# %%
after = [kind_after(d_layers, name) for name in downs[:-1]]
claim(
    "D: batch normalisation after all but the first", after == ["LeakyReLU"] + ["BatchNorm2d"] * 3
)
slopes = [d_layers[name].negative_slope for name in kinds(d_layers, nn.LeakyReLU)]
claim("D: LeakyReLU with slope 0.2, four times", slopes == [0.2] * 4)
claim("D: no fully connected layer", kinds(d_layers, nn.Linear) == [])
claim("G: only the one at the start", kinds(g_layers, nn.Linear) == ["project"])

# %% [markdown]
# Three of these rules have reasons that can be said in a sentence.
#
# - **Tanh last**, because real images are scaled to $[-1,1]$, and so $G$ can only make values that real images have too.
# - **No batch normalisation at the two ends next to the image.** It would force mean and variance of the images in a batch upon $G$'s output, and hide from $D$ exactly these two. (The paper reports samples that oscillated, and unstable training, when it was used there.)
# - **LeakyReLU in $D$.** Where ReLU is zero, so is its gradient, and $D$'s gradient with respect to its input is all that $G$ ever learns from. With a slope of 0.2 some of it always arrives.
#
# And "no fully connected layer after the convolutions" needs an honest footnote. A convolution whose kernel covers the whole map *is* a fully connected layer with a single output. The rule forbids *hidden*
# fully connected layers, which had been the habit on top of convolutions.

# %%
logit = chapter_d.layers[-1]
maps = torch.randn(5, 1024, 4, 4, generator=generator, dtype=torch.float64)
as_convolution = functional.conv2d(maps, logit.weight.double(), logit.bias.double()).flatten()
as_linear = maps.flatten(start_dim=1) @ logit.weight.double().flatten() + logit.bias.double()
claim(
    "D's last convolution is 'flatten, then one linear unit', to 1e-10",
    (as_convolution - as_linear).abs().max() < 1e-10,
)

# %% [markdown]
# One rule is left: all weights start as draws from $N(0, 0.02^2)$. Libraries usually choose a spread that depends on the size of the layer; with batch normalisation behind nearly every layer the choice matters little.

# %%
weight_kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
spreads = [layer.weight.std() for layer in everything if isinstance(layer, weight_kinds)]
claim("there are ten layers with weights", len(spreads) == 10)
claim(
    "their standard deviations are 0.02, to 3 %", all(abs(std / 0.02 - 1) < 0.03 for std in spreads)
)

# %% [markdown]
# ## 4 · What it costs
#
# A layer from $C$ to $C'$ channels with kernels of side $k$ has $C\,C'k^2$ weights, whatever the size of the image. For the multiplications look at the reversed picture of section 2: each of $H^2$ input pixels, with
# $C$ channels, writes $k^2$ outputs in $C'$ channels. That makes $C\,C'k^2H^2$, where $H$ is the side of the *input*.
#
# From one layer to the next both $C$ and $C'$ are halved, so the weights fall to a quarter, and $H^2$ grows by four: the number of multiplications stays **the same**. The
# recipe "twice the side, half the channels" spends the same effort on every scale.


# %%
def costs(layer, side: int) -> tuple[int, int]:
    """(weights, multiplications per image) of a layer whose input has this side."""
    positions = side**2 if isinstance(layer, nn.ConvTranspose2d) else 1
    return layer.weight.numel(), layer.weight.numel() * positions


table = {"project": costs(g_layers["project"], 1)}
table |= {name: costs(g_layers[name], side) for name, side in zip(ups, sides, strict=False)}
print(f"{'layer':10}{'weights':>12}{'multiplications':>18}")
for name, (weight_count, multiplications) in table.items():
    print(f"{name:10}{weight_count:12,}{multiplications:18,}")

hidden = [table[name][1] for name in ups[:-1]]
claim("the three hidden convolutions need exactly 2²⁷ multiplications each", set(hidden) == {2**27})
parameters = sum(parameter.numel() for parameter in chapter_g.parameters())
claim("G has 12,658,435 parameters (weights, scales and offsets)", parameters == 12_658_435)

# %% [markdown]
# A fully connected layer from the $4\times4\times1024$ maps to the $8\times8\times512$ maps would have $16{,}384\cdot32{,}768\approx 537$ million weights: 64 times as many as the convolution in its place. And the definition by inserted
# zeros, taken literally, would multiply by zero three times out of four: it visits the $s^2H^2$ *output* positions, $s^2=4$ times as many. Libraries leave these out.

# %%
dense = (4 * 4 * 1024) * (8 * 8 * 512)
claim(
    "fully connected, the step from 4 × 4 to 8 × 8 would have 64 times the weights",
    dense == 64 * table["up_8"][0],
)

# %% [markdown]
# ## 5 · Checkerboards (棋盘效应)
#
# Early generated images often carried a fine checkerboard pattern. Odena, Dumoulin and Olah (2016) found out where it comes from, and we have already met it: in $A^\top$, some rows had
# contributions from two columns and others from one. Count for every output how many inputs write to it. On a line, output $n$ hears from all $j$ with $0\le n-js\le k-1$: as many as there are
# multiples of $s$ among $k$ consecutive numbers. If $s$ divides $k$, that is $k/s$ for every $n$, except at the edges. If not, it is sometimes $\lfloor k/s\rfloor$ and sometimes one more, with
# period $s$. In two dimensions the counts multiply, and the unevenness with them.


# %%
def hits(kernel: int, stride: int, padding: int, inputs: int = 12) -> torch.Tensor:
    """How many inputs write to each output; a transposed convolution of ones with ones."""
    ones = torch.ones(1, 1, inputs, inputs), torch.ones(1, 1, kernel, kernel)
    counts = functional.conv_transpose2d(*ones, stride=stride, padding=padding)[0, 0]
    edge = kernel  # far enough from it, the pattern repeats
    return counts[edge:-edge, edge:-edge].int()


claim("kernel 4, stride 2: every pixel is hit 4 times", hits(4, 2, 1).unique().tolist() == [4])
claim("kernel 5, stride 2: 4, 6 or 9 times", hits(5, 2, 2).unique().tolist() == [4, 6, 9])
claim("kernel 3, stride 2: 1, 2 or 4 times", hits(3, 2, 1).unique().tolist() == [1, 2, 4])

settings = [(k, s) for k in range(1, 9) for s in range(1, 5)]
claim(
    "even hits exactly where the stride divides the kernel (kernels 1 to 8, strides 1 to 4)",
    all((len(hits(k, s, 0).unique()) == 1) == (k % s == 0) for k, s in settings),
)

# %%
from gm_course.plotting.convolutions import overlap_patterns

overlap_patterns([(4, 2, 1), (5, 2, 2), (3, 2, 1)])

# %% [markdown]
# **What to see.** Above, a line of six inputs, each with the stretch of outputs that it writes to; the row of numbers counts the hits. Below, the same in two dimensions. Kernel 4 with stride 2 is even
# up to the frame; kernels 5 and 3 make a checkerboard, whose brightest pixels are hit 2.25 and 4 times as often as the darkest ones.
#
# **Try it** in the explorer (it needs a running kernel). Find a setting that leaves *holes*, outputs to which nothing writes at all. Which settings with stride 2 turn 6 into exactly 12? And what does the padding change, apart from the size?

# %%
from gm_course.widgets import Explorer, slider, whole_number_slider


def draw_overlaps(kernel, stride, padding):
    return overlap_patterns([(kernel, stride, padding)])


Explorer(
    draw_overlaps,
    kernel=whole_number_slider("kernel k (pixels)", 1, 7, start=4),
    stride=whole_number_slider("stride s (pixels)", 1, 4, start=2),
    padding=whole_number_slider("padding p (pixels)", 0, 3, start=1),
)

# %% [markdown]
# Holes appear as soon as the stride exceeds the kernel. With stride 2 the size is exactly doubled for $k=2p+2$: $(2,2,0)$, $(4,2,1)$, $(6,2,2)$; all these kernels are even, so a layer that doubles exactly is free of
# checkerboards. An odd kernel needs an extra row and column of output, and has checkerboards. The padding crops the frame and shifts the pattern; it never evens it out.
#
# Is a count of hits really a pattern in the *image*? With random weights, as at the start of training, it is one: independent contributions add their variances, so an output with 9 of them has a standard deviation of 3 where one with 4 has 2.

# %%
kernels = torch.randn(1, 4_000, 5, 5, generator=generator, dtype=torch.float64)
ones = torch.ones(1, 1, 12, 12, dtype=torch.float64)
images = functional.conv_transpose2d(ones, kernels, stride=2, padding=2)[0]  # (4000, 23, 23)
variance = images[:, 5:-5, 5:-5].var(dim=0)
ratio = variance / hits(5, 2, 2)
low, high = ratio.aminmax()
claim(
    "variance over 4,000 random kernels, divided by the hits: between 0.9 and 1.1 everywhere",
    low > 0.9 and high < 1.1,
)

# %% [markdown]
# Training can hide an uneven overlap, but it must first learn weights that do; and the gradient from $D$, whose backward pass is a transposed convolution, has such patterns too if $D$'s strides do not divide its kernels. The usual remedies: a kernel
# that the stride divides, or enlarging by interpolation followed by an ordinary convolution.
#
# ## 6 · Batch normalisation in a GAN
#
# Batch normalisation (Ioffe and Szegedy 2015) takes one channel, computes its mean $m$ and variance $v$ over all images and all places of the batch ($B\cdot H\cdot H$ numbers), and returns
#
# $$y=\gamma\,\frac{x-m}{\sqrt{v+\epsilon}}+\beta$$
#
# with a learned scale $\gamma$ and offset $\beta$ per channel and a tiny $\epsilon$. It keeps signals from fading or exploding on their way through many layers, whatever the weights do; Radford and colleagues
# report that without it their generators did not get started or collapsed all samples to one point. In training mode, however, **every image of a batch depends on all the others**. In
# a GAN that has three consequences.
#
# **First: real and generated images go through $D$ in separate batches.** Suppose they went together. Then $D$'s answer to a generated image would depend on the real ones beside it. But in the generator's step there are no real
# ones: $D$ sees generated images alone. $G$ would be trained against another function than the one $D$ had learned to be.

# %%
from gm_course.data import load_mnist

small_g = DCGANGenerator(image_size=32, image_channels=1, base_width=8, generator=weights_generator)
small_d = DCGANDiscriminator(
    image_size=32, image_channels=1, base_width=8, generator=weights_generator
)
digits = functional.pad(load_mnist("test").as_images()[:64], [2] * 4)  # 28 × 28 -> 32 × 32
real = 2 * digits - 1  # from [0, 1] to [−1, 1]

fake = small_g.sample(64, generator=generator).detach()

# %%
with torch.no_grad():
    small_d(real)
    discriminator_step = small_d(fake)  # D's turn, separate batches
    generator_step = small_d(fake)  # G's turn
    joint = small_d(torch.cat([real, fake]))[64:]  # D's turn, one batch for all
claim("separate: both turns see the same logits", torch.equal(discriminator_step, generator_step))
shift = (joint - generator_step).abs().mean() / generator_step.std()
claim_between("joint: they differ, relative to the logits' own spread", shift, 0.5, 5)

# %% [markdown]
# The reason lies in the first normalised layer. Real and generated images differ in the means of its channels. Separate batches remove that difference, each batch having mean 0 afterwards; a joint batch keeps it, and $D$ can use it without learning anything.

# %%
front = small_d.layers[:4]  # up to and with the first batch normalisation


def channel_means(maps):
    return maps.mean(dim=(0, 2, 3))


with torch.no_grad():
    alone = channel_means(front(real)), channel_means(front(fake))
    maps = front(torch.cat([real, fake]))
    gap = channel_means(maps[:64]) - channel_means(maps[64:])
claim("separate: all channel means are 0, to 1e-4", max(m.abs().max() for m in alone) < 1e-4)
claim("joint: those of real and generated images differ by up to 1 or more", gap.abs().max() > 1)

# %% [markdown]
# **Second: in training mode the same $z$ gives another image in another batch.** For looking at samples, for interpolating, and for measuring, switch to evaluation mode, `network.eval()`: then $m$ and $v$ are running averages from training, fixed
# numbers, and $G$ is a function of $z$ alone again.

# %%
z = torch.randn(1, 100, generator=generator)
companions = torch.randn(2, 31, 100, generator=generator)
with torch.no_grad():
    in_training = [small_g(torch.cat([z, others]))[0] for others in companions]
    small_g.eval()
    in_evaluation = [small_g(torch.cat([z, others]))[0] for others in companions]
    small_g.train()


def difference(images):
    return (images[0] - images[1]).abs().max() / images[0].std()


claim(
    "training mode: other companions, another image (by more than 5 % of its spread)",
    difference(in_training) > 0.05,
)
claim("evaluation mode: the same image, to 1e-3 of its spread", difference(in_evaluation) < 1e-3)

# %% [markdown]
# In $D$ the running averages have a catch. They are updated by every batch that passes, so they average over real *and* generated images, a mixture that $D$ never met in training. Do not read much into `D.eval()`. With PyTorch's
# momentum of 0.1 and one batch of each kind:

# %%
norm = nn.BatchNorm1d(1)
norm(torch.full((8, 1), 5.0))  # a "real" batch with mean 5
norm(torch.full((8, 1), -1.0))  # a "generated" one with mean −1
expected = 0.9 * (0.9 * 0 + 0.1 * 5.0) + 0.1 * -1.0
claim(
    "the running mean mixes both: 0.9·(0.1·5) − 0.1·1 = 0.35",
    abs(norm.running_mean.item() - expected) < 1e-6,
)

# %% [markdown]
# **Third: small batches.** With $n=B\cdot H\cdot H$ numbers per channel, subtracting the mean and dividing by the spread removes two of $n$ degrees of freedom. For $n=2$ nothing is left but a sign, for $n=1$ nothing at all, and PyTorch refuses. A batch of *one* image on maps
# larger than $1\times1$ runs without complaint, and is normalised by itself: that is another function, often called instance normalisation (实例归一化), in which the channel's mean cannot say anything about the image.

# %%
pairs = torch.randn(2, 6, generator=generator)  # n = 2 for each of six channels
claim(
    "n = 2: every output is +1 or −1, to 1e-2",
    (nn.BatchNorm1d(6)(pairs).abs() - 1).abs().max() < 1e-2,
)
try:
    nn.BatchNorm2d(6)(torch.randn(1, 6, 1, 1, generator=generator))
except ValueError as error:
    print("ValueError:", error)

# %%
one_map = nn.BatchNorm2d(6)(torch.randn(1, 6, 4, 4, generator=generator) + 3)
claim(
    "n = 16, a single image: each channel has mean 0 (to 1e-5), whatever the image",
    one_map.mean(dim=(2, 3)).abs().max() < 1e-5,
)
constant = nn.BatchNorm2d(6)(torch.full((1, 6, 4, 4), 7.0))
claim("a constant map becomes 0, to 1e-2", constant.abs().max() < 1e-2)

# %% [markdown]
# ## 7 · Training on handwritten digits
#
# Now for digits. The full network of section 3 wants a GPU, and the profile `full` trains it; in the profile `quick` we train a little sister with the same rules, for grey images of $32\times32$: three doublings instead of four, and
# 64 channels on the $4\times4$ maps instead of 1,024. The MNIST digits (LeCun and others 1998), $28\times28$ with values in $[0,1]$, get a frame of two white pixels and are then scaled to $[-1,1]$, white being $-1$, as the
# Tanh demands.

# %%
image_size = runtime.sizes.dcgan_image_size


def prepare(image_set) -> torch.Tensor:
    """Digits as the networks want them: (N, 1, S, S) with values in [−1, 1]."""
    framed = functional.pad(image_set.as_images(), [2] * 4)  # (N, 1, 32, 32)
    return 2 * functional.interpolate(framed, size=image_size, mode="bilinear") - 1


train_set = load_mnist("train", device=runtime.device)
test_set = load_mnist("test", device=runtime.device)
train_images, test_images = prepare(train_set), prepare(test_set)
claim("values from −1 to 1, and both occur", train_images.aminmax() == (-1, 1))

# %% [markdown]
# The profile `quick` departs from the paper twice. The paper has 0.0002 as the learning rate of both networks and batches of 128. We have time for about a thousand iterations, not for tens of thousands, so we take smaller batches and larger steps; and $D$ learns half as fast as
# $G$: in a trial with 0.001 for both (and batches of 64), $D$ was right about nearly every image for two hundred iterations, and $G$ learned little from it. Adam's momentum (动量) is the paper's $\beta_1=0.5$ instead of the usual 0.9: what was a good direction ten steps ago says little when the opponent has moved.

# %%
sizes = runtime.sizes
size = {"image_size": image_size, "image_channels": 1, "base_width": sizes.dcgan_base_width}
G = DCGANGenerator(**size).to(runtime.device, memory_format=torch.channels_last)  # a little faster
D = DCGANDiscriminator(**size).to(runtime.device, memory_format=torch.channels_last)
optimiser_g = torch.optim.Adam(
    G.parameters(), lr=sizes.dcgan_rate_g, betas=(0.5, 0.999), fused=True
)
optimiser_d = torch.optim.Adam(
    D.parameters(), lr=sizes.dcgan_rate_d, betas=(0.5, 0.999), fused=True
)

# %% [markdown]
# The losses are those of lecture 6, unchanged: a DCGAN is a GAN with other networks. Note the two separate calls of $D$ in the first function, for the reason given in section 6, and that all networks are in training mode here.

# %%
from gm_course.gan import discriminator_loss, nonsaturating_loss


def discriminator_terms(real, generator):
    with torch.no_grad():  # G does not move now
        fake = G.sample(len(real), generator=generator)
    real_logits, fake_logits = D(real), D(fake)  # two batches, normalised separately
    return {
        "loss": discriminator_loss(real_logits, fake_logits),
        "D(x)": real_logits.sigmoid().mean(),
        "D(G(z))": fake_logits.sigmoid().mean(),
    }


def generator_terms(real, generator):
    return {"loss": nonsaturating_loss(D(G.sample(len(real), generator=generator)))}


# %% [markdown]
# To watch $G$ learn, we keep 16 noise vectors and look at their images from time to time, in evaluation mode. The training loop calls `remember` after each of the generator's steps.

# %%
from gm_course.data import Batches
from gm_course.profiles import MOST_PASSES
from gm_course.training import Player, Trainer

batches = Batches(train_images, sizes.dcgan_batch_size, generator=runtime.generator(2))
steps = min(sizes.dcgan_steps, MOST_PASSES * batches.steps_per_epoch)
fixed_z = torch.randn(16, 100, generator=runtime.generator(1), device=runtime.device)
moments = [round(steps * share) for share in (0.02, 0.06, 0.15, 0.4, 1)]
snapshots = {}


# %%
def images_of(z: torch.Tensor) -> torch.Tensor:
    """G(z) in evaluation mode, as grey values in [0, 1]: (B, d) -> (B, S, S)."""
    mode = G.training
    G.eval()
    with torch.no_grad():
        images = G(z)[:, 0]
    G.train(mode)
    return (images + 1) / 2


def remember(_network: nn.Module) -> None:
    iteration = trainer.step + 1  # the one just being finished
    if iteration in moments:
        snapshots[f"iteration {iteration:,}"] = images_of(fixed_z)


# %%
trainer = Trainer(
    {
        "discriminator": Player(D, optimiser_d, discriminator_terms),
        "generator": Player(G, optimiser_g, generator_terms, after_step=remember),
    },
    batches,
    generator=runtime.generator(3),
)
snapshots["untrained"] = images_of(fixed_z)

# %%
history = trainer.run(steps)

# %%
plotting.image_rows(snapshots, scale=0.6)

# %% [markdown]
# **What to see.** Each column is one noise vector. The untrained $G$ makes grey: its last convolution has tiny weights. Then a blot forms where digits have their ink, textured by the grid of the layers; strokes appear, and break up into something like digits, which
# go on changing: a column may show one digit now and another one later. Nothing holds a noise vector to a digit, there is only the pressure to look real.

# %%
d_curves, g_curves = history["discriminator"], history["generator"]
plotting.loss_curves(
    {"discriminator's loss": d_curves["loss"], "generator's loss": g_curves["loss"]}, ylabel="nats"
)

# %%
figure, (axis,) = plotting.new_figure(size=(6.5, 3))
for name, term, colour in (("real", "D(x)", "#4477AA"), ("generated", "D(G(z))", "#EE6677")):
    curve = d_curves[term]
    axis.plot(curve, color=colour, alpha=0.25, linewidth=0.8)
    average = curve.unfold(0, 50, 1).mean(dim=1)
    axis.plot(range(49, len(curve)), average, color=colour, label=f"{term}, {name}")
axis.axhline(0.5, color="black", linestyle="--", label="D cannot tell")
axis.set(xlabel="iteration", ylabel="D's mean probability of 'real'", ylim=(0, 1))
axis.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.25))
figure

# %% [markdown]
# **What to see.** After a lively start both losses are flat for the rest of the run, although the images improve between iterations 480 and 1,200. That is no contradiction. Each network's loss is measured against an opponent that improves as well, so a flat
# curve can mean that both get better. The second figure is easier to read: $D$ gives real digits more than one half and generated ones less, and neither curve sits at 0 or 1. That is a $D$ "a little stronger than $G$, not too much". If the two curves part for good, at 1 and 0, $G$'s training is over; if both
# lie on the dashed line, $D$ has nothing more to teach, for the best or the worst of reasons. To know how good the images are, we must look at them.

# %%
last = slice(-200, None)
claim_between("mean of D(x) over the last 200 iterations", d_curves["D(x)"][last].mean(), 0.5, 0.95)
claim_between(
    "mean of D(G(z)) over the last 200 iterations", d_curves["D(G(z))"][last].mean(), 0.05, 0.5
)

# %% [markdown]
# ## 8 · What has it learned?

# %%
z = torch.randn(1_000, 100, generator=runtime.generator(4), device=runtime.device)
samples = images_of(z)
digits = (test_images[:, 0] + 1) / 2
plotting.image_grid(samples[:60], columns=15, title="60 samples, not selected")

# %% [markdown]
# **What to see.** Many are digits at first sight, some are strokes in the manner of a digit that is none. Compared with the VAE's samples of [lecture 5](05-training-a-vae.ipynb) they are *sharp*: black strokes on white. A blurred image would be
# easy prey for $D$, whereas the VAE's decoder was rewarded for hedging. In exchange there is no likelihood here to tell how good the model is.
#
# Some independent judges, then. None of them took part in training. The first are three linear classifiers (logistic regression, 逻辑回归), trained on the labels of the real digits, which the GAN never saw. One of them
# sees whole images and says how many *kinds* of digit there are.

# %%
from sklearn.linear_model import LogisticRegression


def coarse(images: torch.Tensor) -> torch.Tensor:
    """(N, S, S) -> (N, 16, 16), on the CPU: enough for a judge."""
    return functional.adaptive_avg_pool2d(images, 16).cpu().double()


def new_judge(images: torch.Tensor) -> LogisticRegression:
    classifier = LogisticRegression(C=0.1, tol=1e-2, max_iter=500)
    return classifier.fit(images.flatten(start_dim=1), train_set.labels[:4_000].cpu())


def verdicts(judge: LogisticRegression, images: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(judge.predict(images.flatten(start_dim=1)))


# %%
judged_train = coarse((train_images[:4_000, 0] + 1) / 2)
judged_test, judged_samples = coarse(digits), coarse(samples)
judge = new_judge(judged_train)
accuracy = (verdicts(judge, judged_test) == test_set.labels.cpu()).double().mean()
claim_between("share of test digits that the judge recognises", accuracy, 0.8, 1)
shares = verdicts(judge, judged_samples).bincount(minlength=10) / len(samples)
claim("at least 7 of the 10 kinds have 2 % of the samples or more", (shares > 0.02).sum() >= 7)

# %% [markdown]
# But this judge must call everything a digit, a blot as well, and its probabilities are no help: linear classifiers are sure of themselves even where they have never seen anything. So the other two are half blind, one sees only
# the **upper** half of an image and the other only the **lower** half. If they name the same digit, the two halves fit together. A control shows what chance would do: the same samples, each with the lower half of another one.

# %%
upper_judge, lower_judge = new_judge(judged_train[:, :8]), new_judge(judged_train[:, 8:])


def agreement(upper: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """Share of images for which both judges name the same digit."""
    return (verdicts(upper_judge, upper) == verdicts(lower_judge, lower)).double().mean()


exchanged = judged_samples.roll(1, dims=0)
claim_between("agreement, test digits", agreement(judged_test[:, :8], judged_test[:, 8:]), 0.5, 0.8)
claim_between(
    "agreement, samples", agreement(judged_samples[:, :8], judged_samples[:, 8:]), 0.22, 0.7
)
claim_between(
    "agreement, exchanged halves", agreement(judged_samples[:, :8], exchanged[:, 8:]), 0, 0.18
)

# %% [markdown]
# The halves of a sample fit together far more often than by chance, and less often than those of a real digit: what the eye says, too. The next judges are plain pixel statistics, the amount of ink and the differences among samples, both compared with the test digits.

# %%
ink = samples.mean() / digits.mean()
claim_between("ink of the samples, relative to the test digits", ink, 0.5, 1.8)


def mean_distance(images: torch.Tensor) -> torch.Tensor:
    return torch.pdist(images[:500].flatten(start_dim=1)).mean()


spread = mean_distance(samples) / mean_distance(digits)
claim_between("mean distance between two samples, relative to two test digits", spread, 0.6, 1.5)

# %% [markdown]
# Many kinds of sample, and differences about as large as between real digits: there is no sign of mode collapse (模型坍塌, lecture 8), where $G$ makes only a few images over and over. But it might do something else, and simply **memorise** training images. So look up, for each sample, the
# training digit with the smallest Euclidean distance in pixels, and compare that distance with the one from *new real digits* to their nearest training digits.

# %%
training_rows = ((train_images[:, 0] + 1) / 2).flatten(start_dim=1)
to_training = torch.cdist(samples.flatten(start_dim=1), training_rows)
nearest = to_training.min(dim=1)
real_nearest = torch.cdist(digits[:1_000].flatten(start_dim=1), training_rows).min(dim=1).values
closeness = nearest.values.mean() / real_nearest.mean()
claim_between(
    "distance to the nearest training digit, samples relative to test digits", closeness, 0.8, 2
)

# %%
originals = training_rows[nearest.indices[:14]].reshape(-1, image_size, image_size)
plotting.image_rows({"sample": samples[:14], "nearest training digit": originals})

# %% [markdown]
# **What to see.** The nearest training digits are relatives, not originals: position, slant and details of the strokes differ, and some are not even the same digit. A copying generator would have a ratio near 0; ours stays even farther from the training set than real new digits do, because its strokes are less regular. Beware of the limits
# of this test: it finds copies pixel by pixel, but a copy that is shifted by two pixels is far away in this distance.
#
# ## 9 · Walking through the latent space
#
# If $G$ had merely memorised, then on the way from $z_0$ to $z_1$ its image would stay the same for a while and then jump to the next one. Radford and colleagues therefore look at walks. Which path should one take? The straight one,
#
# $$z(t)=(1-t)\,z_0+t\,z_1,$$
#
# leaves the region where $G$ was trained. In $d=100$ dimensions, $\|z\|^2$ is a sum of 100 independent squares with mean 1 and variance 2 each, so $\|z\|^2=100\pm14$, and $\|z\|$ is nearly always close to 10: the prior $N(0,I)$ in high dimensions is a thin shell. Half-way, the
# mean of two independent vectors has variance ½ per coordinate, so its norm is about $\sqrt{50}\approx7.1$, which the prior almost never produces. **Spherical interpolation** (球面插值, White 2016) stays in the shell: with the angle $\omega$ between $z_0$ and $z_1$,
#
# $$z(t)=\frac{\sin((1-t)\,\omega)}{\sin\omega}\,z_0+\frac{\sin(t\,\omega)}{\sin\omega}\,z_1,\qquad \cos\omega=\frac{\langle z_0,z_1\rangle}{\|z_0\|\,\|z_1\|}.$$
#
# For vectors of one length $r$ the path keeps this length. With $a=(1-t)\,\omega$ and $b=t\,\omega$, so that $a+b=\omega$,
#
# $$\begin{aligned}
# \frac{\sin^2\omega}{r^2}\,\|z(t)\|^2&=\sin^2a+\sin^2b+2\sin a\sin b\,\cos(a+b)\\
# &=\sin^2a\,(1-\sin^2b)+\sin^2b\,(1-\sin^2a)+2\sin a\cos a\sin b\cos b\\
# &=(\sin a\cos b+\cos a\sin b)^2=\sin^2\omega ,
# \end{aligned}$$
#
# where the second line inserts $\cos(a+b)=\cos a\cos b-\sin a\sin b$. So $\|z(t)\|=r$, and the path is an arc of a circle.


# %%
def linear(z0, z1, t):
    """Points on the straight line; t (n, 1) -> (n, d)."""
    return (1 - t) * z0 + t * z1


def spherical(z0, z1, t):
    """Points on the arc; t (n, 1) -> (n, d)."""
    omega = torch.acos(torch.dot(z0, z1) / (z0.norm() * z1.norm()))
    return (torch.sin((1 - t) * omega) * z0 + torch.sin(t * omega) * z1) / torch.sin(omega)


t = torch.linspace(0, 1, 12, dtype=torch.float64)[:, None]
z0, z1 = torch.randn(2, 100, generator=generator, dtype=torch.float64)
z1 = z1 * z0.norm() / z1.norm()  # of one length, to test the formula
deviation = spherical(z0, z1, t).norm(dim=1) - z0.norm()
claim("the arc keeps the length, to 1e-12", deviation.abs().max() < 1e-12)

# %%
from scipy.stats import chi2

norms = torch.randn(10_000, 100, generator=generator).norm(dim=1)
claim(
    "more than 99 % of 10,000 draws have a norm between 8 and 12",
    ((norms > 8) & (norms < 12)).float().mean() > 0.99,
)
claim("the prior's probability of a norm below √50 is less than 1e-5", chi2.cdf(50, df=100) < 1e-5)

# %%
walks = {}
for number, (start, end) in enumerate([(0, 1), (2, 3)], start=1):
    for name, path in (("straight", linear), ("spherical", spherical)):
        points = path(z[start], z[end], t.to(z))
        walks[f"walk {number}, {name}"] = images_of(points)
plotting.image_rows(walks, scale=0.6)

# %% [markdown]
# **What to see.** Every image on the way is a drawing of some kind: strokes bend, loops close. No image stays put and then jumps. The two kinds of path hardly differ here, although half-way the straight one
# uses a $z$ whose length the prior never produces: this small $G$ has learned a function that behaves well even there. There is no guarantee of that; White (2016) reports models whose straight paths give poor images.
#
# The claim "no jumps" can be measured: 24 steps along an arc, and the largest of them compared with the distance of its two ends. A walk over memorised images would have a largest step of about 1.

# %%
fine = torch.linspace(0, 1, 25, device=z.device)[:, None]
largest = []
for start in range(0, 40, 2):
    images = images_of(spherical(z[start], z[start + 1], fine)).flatten(start_dim=1)
    largest.append((images.diff(dim=0).norm(dim=1).max() / (images[-1] - images[0]).norm()).item())
median = torch.tensor(largest).median()
claim_between(
    "largest of 24 steps, relative to the ends' distance, median of 20 walks", median, 0, 0.6
)

# %% [markdown]
# **Try it:** move $t$ and watch where a stroke appears or vanishes. Is the straight path's image at $t=0.5$ paler or simpler than the arc's? Choose other pairs: how many of the walks pass through something that is no digit at all?


# %%
def draw_walk(pair, t):
    z0, z1 = z[2 * pair], z[2 * pair + 1]
    position = torch.tensor([[t]], device=z.device)
    whole = torch.linspace(0, 1, 50, device=z.device)[:, None]
    paths = {"straight": linear, "spherical": spherical}
    images = images_of(torch.cat([path(z0, z1, position) for path in paths.values()])).cpu()
    figure, axes = plotting.new_figure(3, size=(2.4, 2.4))
    for axis, image, (name, path), colour in zip(
        axes, images, paths.items(), plotting.COLOURS, strict=False
    ):
        axis.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axis.set_title(name)
        axis.set_axis_off()
        axes[2].plot(whole.cpu(), path(z0, z1, whole).norm(dim=1).cpu(), color=colour, label=name)
    axes[2].axvline(t, color="black", linestyle="--")
    axes[2].set(xlabel="t", ylabel="norm of z(t)", ylim=(5, 14))
    axes[2].legend(loc="upper center", ncols=2, fontsize=7)
    return figure


# %%
Explorer(
    draw_walk,
    pair=whole_number_slider("pair of noise vectors", 0, 19, start=0),
    t=slider("position t on the path", 0, 1, start=0.5, step=0.02),
)

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | images come out one pixel too large or small | odd kernel with stride 2, without the extra row and column | the boxed formula of section 2 |
# | a fine regular grid in all images | the stride does not divide the kernel | count the hits |
# | grey veil: the background never gets white | data in $[0,1]$ and Tanh, or data in $[-1,1]$ and a sigmoid | minimum and maximum of a real batch |
# | $D$'s loss is near 0 from the first iterations on, samples do not improve | $D$ too strong, or real images recognisable by their scaling | the means of $D(x)$ and $D(G(z))$ |
# | samples are fine during training and poor in evaluation mode | running averages lag behind the weights (too few iterations, large learning rate) | compare both modes for one batch of $z$ |
# | a sample changes with its companions | the network is in training mode | section 6 |
# | `Expected more than 1 value per channel` | a batch of one where the map is $1\times1$ | drop the last, incomplete batch |
# | all samples alike | mode collapse; often a learning rate that is too high | distances between samples |
#
# ## Questions
#
# 1. You want a layer that *triples* the side, without checkerboards. Which $k$, $s$ and $p$ are the smallest?
#
# <details><summary>Answer</summary>
#
# $H_{\text{out}}=(H-1)s-2p+k=3H$ for all $H$ needs $s=3$ and $k=2p+3$; even overlap needs 3 to divide $k$. The smallest is $k=3$, $p=0$: every input writes to its own $3\times3$ block. The next is $k=9$, $p=3$.
#
# </details>
#
# 2. In section 3, layers in front of a batch normalisation have no offset. Why is none needed?
#
# <details><summary>Answer</summary>
#
# The offset adds the same number to a whole channel, and the normalisation subtracts the channel's mean, the offset included. It would have no effect and no gradient; $\beta$ does its work.
#
# </details>
#
# 3. A colleague feeds real and generated images through $D$ in one joint batch and finds that $D$ tells them apart much faster. Is that an advantage?
#
# <details><summary>Answer</summary>
#
# For $D$ it is: the means of a channel differ between the halves, and the joint normalisation leaves that difference in place, where separate batches remove it. For the game it is not: in $G$'s step $D$ sees
# generated images only, normalised among themselves, and its judgement there was never trained.
#
# </details>
#
# 4. After the last iteration $D$'s loss is about $2\log2\approx1.39$. What does that say about the samples?
#
# <details><summary>Answer</summary>
#
# Only that *this* $D$ answers about ½ everywhere. It may be that the samples are perfect, or that $D$ is too weak to see a difference. The loss cannot tell; sections 8 and 9 ask others.
#
# </details>
#
# 5. Would spherical interpolation be the right choice if $z$ were uniform on the cube $[-1,1]^{100}$, as it was in the paper?
#
# <details><summary>Answer</summary>
#
# The arc between two points of a cube can leave the cube, into a region from which $G$ has never seen a $z$. The straight path stays inside, because a cube is convex, although half-way it, too, is closer to the centre than typical points are.
#
# </details>
#
# ## Summary
#
# - A convolution's output has side $\lfloor(H+2p-k)/s\rfloor+1$; a fractionally-strided convolution's $(H-1)s-2p+k$. With $k=4$, $s=2$, $p=1$ they halve and double.
# - A fractionally-strided convolution inserts zeros and convolves with the flipped kernel; it is multiplication by the transposed matrix, and the gradient of a convolution. It is not an inverse.
# - DCGAN: $100\to4\times4\times1024\to8\to16\to32\to64$; strides instead of pooling, batch normalisation except next to the image, ReLU and Tanh in $G$, LeakyReLU in $D$, no fully connected layers on top. All its hidden convolutions cost the same number of multiplications.
# - If the stride does not divide the kernel, outputs are hit unevenly: checkerboards.
# - Batch normalisation ties the images of a batch together. Separate batches for real and generated; evaluation mode for looking.
# - The losses of a GAN do not measure quality. Look at samples, let independent judges count, search for copies, and walk.
#
# **Next:** [lecture 8](08-gan-analysis.ipynb) asks *why* this training is so delicate, and [lecture 9](09-wasserstein-gan.ipynb) what can be done about it.
#
# ## References
#
# - A. Radford, L. Metz, S. Chintala, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks*, 2016.
# - I. J. Goodfellow and others, *Generative Adversarial Nets*, 2014.
# - V. Dumoulin, F. Visin, *A Guide to Convolution Arithmetic for Deep Learning*, 2016.
# - A. Odena, V. Dumoulin, C. Olah, *Deconvolution and Checkerboard Artifacts*, 2016.
# - S. Ioffe, C. Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift*, 2015.
# - T. White, *Sampling Generative Networks*, 2016 (spherical interpolation).
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-Based Learning Applied to Document Recognition*, 1998 (MNIST).
