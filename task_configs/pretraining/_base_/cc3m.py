"""What CLIP and CatLIP share on CC3M: images, samples, ViT. Not run by itself."""

_base_ = ["paper.py"]
samples = 100 * 2_900_000
batch_size = 4 * 512
