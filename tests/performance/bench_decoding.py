"""How fast pictures become training images, against Pillow and torchvision, and how far the two differ.

python tests/performance/bench_decoding.py [JPEG ...]

One core. Without arguments the pictures are scikit-learn's two sample photographs, resized and compressed
(quality 85, 4:2:0), at the sizes of web data, and at the demo's, with its crops. Given JPEGs are made into
images of 224 pixels. Both ways take turns on the same pictures and crops; the medians of processor time are
compared. Differences are of 255 grey levels; *shifted* is what moving Pillow's crop by one pixel of the whole
picture down and right makes, for scale.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import functional as F

from pretraining.data import decoding
from pretraining.data.augment import train_transform
from pretraining.data.shards import RawSample, decode_image

ROUNDS = 15
SEEDS = range(16)
CASES = {
    "500x375": ((500, 375), 224, (0.5, 1.0)),
    "1024x768": ((1024, 768), 224, (0.5, 1.0)),
    "demo, 160x140": ((160, 140), 96, (0.8, 1.0)),
}
"""Width and height, size of the images made, share of the picture in a crop."""


def photographs(width: int, height: int) -> list[RawSample]:
    """Scikit-learn's pictures (640x427), the middle of them at the size."""
    from sklearn.datasets import load_sample_images

    samples = []
    for pixels in load_sample_images().images:
        picture = (
            Image.fromarray(pixels).crop((35, 0, 605, 427)).resize((width, height), Image.Resampling.LANCZOS)
        )
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=85)
        samples.append({"jpg": file.getvalue()})
    return samples


def pillow_transform(size: int, scale: tuple[float, float], shift: int = 0) -> Callable[[RawSample], Tensor]:
    """What training did before there was a faster decoder; the crop moved by `shift` pixels."""
    crop = transforms.RandomResizedCrop(size, scale)
    rest = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.PILToTensor()])

    def transform(sample: RawSample) -> Tensor:
        picture = decode_image(sample)
        if not shift:
            return rest(crop(picture))
        top, left, height, width = crop.get_params(picture, crop.scale, crop.ratio)
        return rest(F.resized_crop(picture, abs(top - shift), abs(left - shift), height, width, crop.size))

    return transform


def images(transform: Callable[[RawSample], Tensor], samples: list[RawSample]) -> list[Tensor]:
    made = []
    for seed in SEEDS:
        for sample in samples:
            torch.default_generator.manual_seed(seed)
            made.append(transform(sample))
    return made


def seconds(action: Callable[[], object]) -> float:
    begin = time.process_time()
    action()
    return time.process_time() - begin


def difference(some: list[Tensor], others: list[Tensor]) -> float:
    """Mean absolute difference per value."""
    pairs = zip(some, others, strict=True)
    return statistics.mean((a.int() - b.int()).abs().double().mean().item() for a, b in pairs)


def compare(name: str, samples: list[RawSample], size: int, scale: tuple[float, float]) -> None:
    ours, pillows = train_transform(size, scale), pillow_transform(size, scale)
    times = [
        (seconds(lambda: images(pillows, samples)), seconds(lambda: images(ours, samples)))
        for _ in range(ROUNDS + 1)
    ][1:]
    count = len(SEEDS) * len(samples)
    slow, fast = (count / statistics.median(each) for each in zip(*times, strict=True))
    ratio = statistics.median(theirs / mine for theirs, mine in times)
    expected = images(pillows, samples)
    apart = difference(images(ours, samples), expected)
    moved = difference(images(pillow_transform(size, scale, shift=1), samples), expected)
    kilobytes = statistics.mean(len(sample["jpg"]) for sample in samples) / 1000
    print(
        f"{name} ({kilobytes:.0f} kB) to {size}: Pillow {slow:.0f}, training {fast:.0f} images/s per core: "
        f"{ratio:.2f} x; mean difference {apart:.2f}, shifted {moved:.2f}"
    )


def main(files: list[str]) -> None:
    torch.set_num_threads(1)  # as in the workers of a DataLoader
    if decoding.simplejpeg is None:
        print("simplejpeg is not installed: training takes Pillow")
    if files:
        compare("your pictures", [{"jpg": Path(file).read_bytes()} for file in files], 224, (0.5, 1.0))
        return
    for name, (shape, size, scale) in CASES.items():
        compare(name, photographs(*shape), size, scale)


if __name__ == "__main__":
    main(sys.argv[1:])
