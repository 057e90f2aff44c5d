"""k-nearest neighbours on labelled images of your own, whatever they are called, with frozen features.

Protocol: as imagenet1k_knn.py: the 5 and the 20 training images nearest by cosine similarity vote, the
number chosen on validation images; top-1 on the test images reported once, with Wilson's 95 % interval over
images. Splits and forms of the data as in linear_probe.py.

Command:
    python run_suite.py run task_configs/classification/knn.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_knn.
"""

_base_ = ["_base_/own_images.py"]

task = dict(
    type="knn",
    feature="class_token",
    k=(5, 20),
    temperature=0.07,
    units="images",
)
