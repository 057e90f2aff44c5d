"""Test images of the classification data, corrupted: ``<corruption>/<severity>/<class>/<image>``."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmark.demo_data.classification import ClassJob, draw_image, plan
from benchmark.demo_data.spec import DemoSpec
from benchmark.demo_data.streams import stream
from common.pictures import opened
from common.processes import Workers

SEVERITIES = (2, 4)
QUALITY = 90


def corrupted(job: ClassJob) -> dict[str, bytes]:
    """One image in every way: ``<corruption>/<severity>`` -> JPEG; depends on the job alone."""
    with opened(draw_image(job)) as image:
        clean = image.convert("RGB")
    found = {}
    for name, corrupt in CORRUPTIONS.items():
        for severity in SEVERITIES:
            generator = stream(job.seed, f"shifted/{name}/{severity}", job.index)
            file = io.BytesIO()
            corrupt(clean, severity / 5, generator).save(file, "JPEG", quality=QUALITY)
            found[f"{name}/{severity}"] = file.getvalue()
    return found


def draw(folder: Path, spec: DemoSpec, workers: Workers, report: Callable[[int, int], None]) -> None:
    """Write ``<corruption>/<severity>/<class>/<class>_0000.jpg`` into ``folder``."""
    jobs = [
        job for job in plan(spec) if job.split == "test" and job.index % spec.class_test < spec.class_shifted
    ]
    for done, (job, made) in enumerate(zip(jobs, workers.map(corrupted, jobs), strict=True), start=1):
        for place, jpeg in made.items():
            path = folder / place / Path(job.name).relative_to("test")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg)
        report(done, len(jobs))


def _noise(image: Image.Image, strength: float, generator: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float64)
    noisy = pixels + generator.normal(0, 60 * strength, pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8))


def _blur(image: Image.Image, strength: float, generator: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(image.width * strength / 32))


def _contrast(image: Image.Image, strength: float, generator: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(1 - 0.9 * strength)


def _pixelate(image: Image.Image, strength: float, generator: np.random.Generator) -> Image.Image:
    coarse = max(4, round(image.width * (1 - 0.9 * strength)))
    small = image.resize((coarse, coarse), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.NEAREST)


CORRUPTIONS = {
    "gaussian_noise": _noise,
    "defocus_blur": _blur,
    "contrast": _contrast,
    "pixelate": _pixelate,
}
"""Named as ImageNet-C names their like."""
