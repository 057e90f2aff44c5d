"""Image retrieval among labelled images of your own, whatever they are called, with frozen features.

Protocol: as imagenet1k_retrieval.py: every test image asks for all others by cosine similarity; mean average
precision and recall at 1 and 5, the interval over classes. Splits and forms of the data as in
linear_probe.py.

Command:
    python run_suite.py run task_configs/classification/retrieval.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_retrieval.
"""

_base_ = ["_base_/own_images.py"]

task = dict(
    type="retrieval",
    feature="class_token",
)
