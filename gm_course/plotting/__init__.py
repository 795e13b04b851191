"""The course's figures: functions that take tensors and return a matplotlib Figure.

Nothing is shown or saved here, and no global style is touched. A notebook displays a figure by
making it the last expression of a cell. What several notebooks draw is named here; what belongs to
one idea has a module of its own beside these.
"""

from gm_course.plotting.curves import estimate_histograms, loss_curves
from gm_course.plotting.figures import CLASS_COLOURS, COLOURS, MARKERS, new_figure
from gm_course.plotting.images import decoded_code, image_grid, image_rows, latent_manifold

__all__ = [
    "CLASS_COLOURS",
    "COLOURS",
    "MARKERS",
    "decoded_code",
    "estimate_histograms",
    "image_grid",
    "image_rows",
    "latent_manifold",
    "loss_curves",
    "new_figure",
]
