"""Linear probe on the embedded classification data (single objects drawn by OpenMoji).

Protocol: frozen class token at the backbone's own image size, standardised by the training images;
multinomial logistic regression trained on train/, its L2 penalty chosen on val/ from 15 strengths, top-1 on
test/ reported once with Wilson's 95 % interval over images. All images of a class show one drawing: the
interval over classes is reported beside it (top1_over_classes).

Command:
    python run_suite.py run task_configs/classification/demo_linear_probe.py \
        --backbone random:vit_mini_conv16 --data demo_classification=results/data/demo/classification

Published figure: none, the data are drawn by this project.
"""

task = dict(
    type="linear_probe",
    data="demo_classification",
    feature="class_token",
    train="train",
    val="val",
    test="test",
    l2=(1e-6, 10.0, 15),
    encode_batch_size=256,
    workers=1,
)
notes = [
    "Intervals of top-1 are Wilson's, over test images taken as independent. All images of a class are "
    "renderings of one drawing: how the figure would move with other drawings is what top1_over_classes says "
    "(bootstrap over classes, in cells.csv and as the thin lines of the plot)."
]
