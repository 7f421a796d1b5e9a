"""Published architectures of every family, with random weights, give open_clip's own vectors."""

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from clipbench.encoders.loading import load
from clipbench.encoders.specification import parse

TEXTS = ("a red ball", "two dogs run through deep snow towards the camera", "dog")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name", ["RN50", "ViT-S-32", "convnext_base", "coca_ViT-B-32", "EVA02-B-16", "MobileCLIP-S1", "ViTamin-S"]
)
def test_an_architecture_gives_open_clips_vectors(name: str) -> None:
    encoder = load(parse(name, "random:7", device="cpu"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model, _, transform = open_clip.create_model_and_transforms(name, pretrained_text=False)
    model.eval()
    noise = np.random.default_rng(0).integers(0, 256, (300, 260, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((500, 375))
    with torch.inference_mode():
        texts = normalize(model.encode_text(open_clip.get_tokenizer(name)(list(TEXTS))), dim=-1).numpy()
        images = normalize(model.encode_image(transform(picture)[None]), dim=-1).numpy()
    assert np.abs(encoder.encode_texts(TEXTS).vectors - texts).max() <= 1e-5
    assert np.abs(encoder.encode_images(encoder.prepare(picture)[None]) - images).max() <= 1e-5
    assert encoder.identity.dimension == texts.shape[1]
