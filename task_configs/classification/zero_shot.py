"""Zero-shot classification of labelled images of your own, whatever they are called.

Protocol: as imagenet1k_zero_shot.py, with the names of your classes: words, or WordNet ids. Splits and forms
of the data as in linear_probe.py; the test images alone are looked at.

Command:
    python run_suite.py run task_configs/classification/zero_shot.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_zero_shot.
"""

_base_ = ["_base_/own_images.py"]

task = dict(
    type="zero_shot",
    by="auto",
    templates="openai",
    alpha=0.5,
    bias="rarity",
    hold_out=0.0,
    units="images",
)
