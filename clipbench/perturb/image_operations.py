"""The image operations: every corruption with its name, family and source.

Only facts are listed here; the pixels are worked in the family's own module.

Constants are those of ImageNet-C, in pixels of the picture that comes in (tuned at 224 × 224); elastic, the
fog's cloud and the frost are relative to the side. Known differences from its code, none of which changes
the strength by more than a picture's own spread: bytes are rounded, not cut off; the defocus kernel sums
to 1; zooms keep the exact centre; motion angles are not rounded to pixels; glass really swaps pixels, on
every side and up to the border; water drops use own steps for OpenCV's; frost grows instead of being
cropped out of photographs; nothing depends on the picture being square.
"""

from __future__ import annotations

from clipbench.perturb import image_blur as blur
from clipbench.perturb import image_digital as digital
from clipbench.perturb import image_geometric as geometric
from clipbench.perturb import image_noise as noise
from clipbench.perturb import image_weather as weather
from clipbench.perturb.image_frost import frost
from clipbench.perturb.operation import ImageApply, ImageOperation

SEVERITIES = (1.0, 2.0, 3.0, 4.0, 5.0)
ONE = (1.0,)
HENDRYCKS = "Hendrycks & Dietterich 2019, arXiv 1903.12261"
MICHAELIS = "Michaelis et al. 2019, arXiv 1907.07484"
ENGSTROM = "Engstrom et al. 2019, arXiv 1712.02779"
ZEILER = "Zeiler & Fergus 2014, arXiv 1311.2901"
OWN = "clipbench"


def _drawn(
    name: str, family: str, apply: ImageApply, description: str, source: str = HENDRYCKS
) -> ImageOperation:
    """List an operation that draws random numbers."""
    return ImageOperation(
        name=name,
        family=f"image-{family}",
        apply=apply,
        deterministic=False,
        source=source,
        description=description,
        levels=SEVERITIES,
    )


def _fixed(
    name: str,
    family: str,
    apply: ImageApply,
    description: str,
    source: str = HENDRYCKS,
    levels: tuple[float, ...] = SEVERITIES,
) -> ImageOperation:
    """List an operation without randomness."""
    return ImageOperation(
        name=name,
        family=f"image-{family}",
        apply=apply,
        deterministic=True,
        source=source,
        description=description,
        levels=levels,
    )


IMAGE_OPERATIONS: tuple[ImageOperation, ...] = (
    _drawn("gaussian-noise", "noise", noise.gaussian_noise, "normal noise on every colour value: low light"),
    _drawn("shot-noise", "noise", noise.shot_noise, "Poisson noise: a sensor that counts few photons"),
    _drawn("impulse-noise", "noise", noise.impulse_noise, "colour values set to 0 or 255: bit errors"),
    _drawn("speckle-noise", "noise", noise.speckle_noise, "normal noise in proportion to brightness"),
    _fixed("gaussian-blur", "blur", blur.gaussian_blur, "Gaussian blur"),
    _fixed("defocus-blur", "blur", blur.defocus_blur, "disc blur: a lens out of focus"),
    _drawn("glass-blur", "blur", blur.glass_blur, "neighbouring pixels swapped: frosted glass"),
    _drawn("motion-blur", "blur", blur.motion_blur, "smeared along a drawn line: a moving camera"),
    _fixed("zoom-blur", "blur", blur.zoom_blur, "averaged with enlargements: a camera moving forward"),
    _drawn("snow", "weather", weather.snow, "whitened, with streaks of flakes"),
    _drawn("frost", "weather", frost, "mixed with ferns of ice, grown for every picture"),
    _drawn("fog", "weather", weather.fog, "a plasma cloud in front of the picture"),
    _fixed("brightness", "weather", weather.brightness, "brighter: V of HSV raised"),
    _drawn("spatter", "weather", weather.spatter, "drops of water (1 to 3) or mud (4, 5) on the lens"),
    _fixed("contrast", "digital", digital.contrast, "lower contrast"),
    _fixed("saturate", "digital", digital.saturate, "colours washed out (1, 2) or deepened (3 to 5)"),
    _drawn("elastic", "digital", digital.elastic, "moved by a smooth random field", MICHAELIS),
    _fixed("pixelate", "digital", digital.pixelate, "averaged in coarse boxes"),
    _fixed("jpeg", "digital", digital.jpeg, "compressed as JPEG at a low quality"),
    _drawn("rotation", "geometric", geometric.rotation, "turned by 5 to 45 degrees, left or right", ENGSTROM),
    _drawn("crop", "geometric", geometric.crop, "a part at a drawn place, enlarged to the frame", OWN),
    _drawn("translate", "geometric", geometric.translate, "shifted along both axes, black behind", ENGSTROM),
    _drawn("occlusion", "geometric", geometric.occlusion, "5 to 40 % covered by a grey rectangle", ZEILER),
    _fixed("grayscale", "geometric", geometric.grayscale, "without colours; one setting", OWN, ONE),
    _fixed("flip", "geometric", geometric.flip, "left and right mirrored; one setting", OWN, ONE),
    _fixed("downscale", "geometric", geometric.downscale, "shrunk to a thumbnail and enlarged again", OWN),
)
"""In the order of the families and, within ImageNet-C's, of the paper."""

IMAGENET_C = (
    "gaussian-noise",
    "shot-noise",
    "impulse-noise",
    "defocus-blur",
    "glass-blur",
    "motion-blur",
    "zoom-blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic",
    "pixelate",
    "jpeg",
)
"""The 15 corruptions that mCE is the mean over."""

IMAGENET_C_EXTRA = ("speckle-noise", "gaussian-blur", "spatter", "saturate")
"""The four that the paper holds out for validation."""
