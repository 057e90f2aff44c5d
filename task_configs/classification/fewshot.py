"""Few-shot classification of labelled images of your own, whatever they are called, with frozen features.

Protocol: as imagenet1k_fewshot.py: a linear classifier from 1, 2, 4, 8 and 16 images of every class, ten
draws, its penalty chosen on validation images; top-1 on the test images, mean over the draws, the interval
over images. Splits and forms of the data as in linear_probe.py.

Command:
    python run_suite.py run task_configs/classification/fewshot.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_fewshot.
"""

_base_ = ["_base_/own_images.py"]

task = dict(
    type="fewshot",
    feature="class_token",
    shots=(1, 2, 4, 8, 16),
    draws=10,
    l2=(1.0, 1e-1, 1e-2, 1e-3),
    units="images",
)
