"""What CLIP and CatLIP share on the embedded pairs: images, samples, ViT, schedule.

Of every training image 70 % of the patch tokens are left out, until the last tenth of the training: a step
then takes less than half the time, and both objectives learn more in the same (METHODOLOGY.md). Batch, crops
and optimizer are each objective's own, found by the same search; weights are averaged over as many samples.
Not run by itself.
"""

architecture = "vit_mini_conv16"
image_size = 96
samples = 80_000
token_drop = dict(rate=0.7, until=0.9)
seed = 0
val_batch_size = 64
val_samples = 960
val_interval = 125
checkpoint_interval = 100
num_workers = 0  # each process loads for itself: a core has nothing to gain from a second one
