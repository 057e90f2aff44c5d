"""Linear probe on the embedded classification data: single objects, one drawing a class.

Protocol: frozen class token at the backbone's own image size, standardised by the training images;
multinomial logistic regression trained on train/, its L2 penalty chosen on val/ from 45 strengths, top-1 on
test/ reported once. All images of a class show one drawing (by OpenMoji), so the 95 % interval is over
classes: it is for all drawings of this kind. Wilson's over images, for more pictures of these very drawings,
is in the record as top1_over_images.

Command:
    python run_suite.py run task_configs/classification/demo_linear_probe.py \
        --backbone random:vit_mini_conv16 --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/over_classes.py"]

task = dict(
    type="linear_probe",
    data="demo_classification",
    feature="class_token",
    train="train",
    val="val",
    test="test",
    units="classes",
    l2=(1e-8, 10.0, 45),
    encode_batch_size=256,
    workers=1,
)
