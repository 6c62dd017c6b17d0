"""How far a picture's local contrast is from that of natural scenes, at a small fixed size.

Each pixel's difference from the mean around it, divided by the deviation around it, follows
much the same law in all undistorted photographs. The parameters of that law are read at a size
at which neither sharpness nor compression nor the size delivered matters much any more, which
is what carries over from one source of pictures to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import gamma

AROUND = 7 / 6
"""Standard deviation of the window around a pixel."""
STEADY, STEADY_COLOUR = 1.0, 0.5
"""Added to deviations, grey levels, so that flat areas divide by something."""
Plane = NDArray[np.float32]


def colour(plane: Plane) -> list[float]:
    """COLOUR numbers of an (h, w) colour difference or colourfulness in grey levels.

    References
    ----------
    A. Mittal, A. K. Moorthy, A. C. Bovik, "No-reference image quality assessment in the spatial
    domain", TIP 2012, who read brightness so.
    """
    normal, around = _normalised(plane, STEADY_COLOUR)
    return [
        *_symmetric(normal),
        *(value for pair in _neighbours(normal) for value in _asymmetric(pair)),
        *np.percentile(np.log(around + 0.1), (10, 50, 90)),
        float(np.log(around.mean() + 0.05)),
        float(np.log(around.std() + 0.05)),
    ]


def steepness(luma: Plane) -> list[float]:
    """STEEPNESS numbers of how steep (h, w) luma is: the law of its gradient's length."""
    normal, _ = _normalised(np.hypot(*np.gradient(luma)), STEADY)
    values = (normal, *_neighbours(normal))
    return [*_symmetric(normal), *(value for each in values for value in _asymmetric(each))]


def _normalised(plane: Plane, steady: float) -> tuple[Plane, Plane]:
    """Mean-subtracted, contrast-normalised values, and the deviation around each pixel."""
    mean = gaussian_filter(plane, AROUND)
    around = np.sqrt(np.maximum(gaussian_filter(plane * plane, AROUND) - mean * mean, 0))
    return (plane - mean) / (around + np.float32(steady)), around


def _neighbours(normal: Plane) -> list[Plane]:
    return [normal[:, 1:] * normal[:, :-1], normal[1:] * normal[:-1]]


def _symmetric(values: Plane) -> tuple[float, float]:
    """Shape and deviation of the generalised Gaussian with the same moments."""
    power, mean = float((values * values).mean()), float(np.abs(values).mean())
    if power < 1e-10:
        return 2.0, 0.0
    return float(_SHAPES[np.abs(_RATIOS - power / (mean * mean)).argmin()]), power**0.5


def _asymmetric(values: Plane) -> tuple[float, float, float, float]:
    """Shape, mean, left and right deviation of the asymmetric generalised Gaussian."""
    below, above = np.minimum(values, 0), np.maximum(values, 0)
    mean = float((above - below).mean())
    left, right = _deviation(below), _deviation(above)
    power = float((values * values).mean())
    skew = left / right
    ratio = mean * mean / (power + 1e-12)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    nearest = np.abs(1 / _RATIOS - ratio).argmin()
    return float(_SHAPES[nearest]), (right - left) * float(_MEANS[nearest]), left, right


def _deviation(side: Plane) -> float:
    """Root mean square of the values that are not zero."""
    power = float((side * side).sum()) / max(int(np.count_nonzero(side)), 1)
    return float(max(power**0.5, 1e-4))


_SHAPES = np.arange(0.2, 10.001, 0.01)
_RATIOS = gamma(1 / _SHAPES) * gamma(3 / _SHAPES) / gamma(2 / _SHAPES) ** 2
_MEANS = gamma(2 / _SHAPES) / np.sqrt(gamma(1 / _SHAPES) * gamma(3 / _SHAPES))
COLOUR, STEEPNESS = 15, 14
