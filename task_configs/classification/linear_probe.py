"""Linear probe on labelled images of your own, whatever they are called.

Protocol: as imagenet1k_linear_probe.py: frozen class token, standardised by the training images; multinomial
logistic regression, its L2 penalty chosen on validation images from 45 strengths; top-1 and top-5 reported
once, with Wilson's 95 % interval over images. Splits as the data have them: test judges, else val; val
chooses where it does not judge, else 10 % of every class of the training images. Data without splits: a
fifth of every class judges, always the same.

PATH: a folder of <split>/<class name>/<image> or of <class name>/<image>; a csv (path,label[,split]) or the
folder that holds it as manifest.csv; a folder that Hugging Face's datasets saved.

Command:
    python run_suite.py run task_configs/classification/linear_probe.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_linear_probe.
"""

_base_ = ["_base_/own_images.py"]

task = dict(
    type="linear_probe",
    feature="class_token",
    units="images",
    l2=(1e-8, 10.0, 45),
)
