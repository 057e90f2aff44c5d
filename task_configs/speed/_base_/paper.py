"""What the paper's sizes of ViT share: images, vocabulary, CLIP's text tower, samples. Not run by itself."""

image_size = 224
classes = 24_320
objectives = dict(catlip=dict(), clip=dict())
samples = 200_000 * 65_536
