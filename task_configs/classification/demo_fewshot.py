"""Few-shot classification on the embedded classification data (drawings), with frozen features.

Protocol: class token at the backbone's own image size; a linear classifier from 1, 2, 4 and 8 (all there
are) images of every class, ten draws, each draw's smaller sets within its larger ones; features
standardised by the images that are trained on; of four strengths of the L2 penalty the one that does best
on the validation images, on average over the draws, is taken for each number of images, the same procedure
for every backbone; top-1, mean over the draws. The interval is over classes, whose images are renderings of
one drawing each; how far draws differ is in the record.

Command:
    python run_suite.py run task_configs/classification/demo_fewshot.py \
        --backbone run:results/demo/pretrain/catlip \
        --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

task = dict(
    type="fewshot",
    data="demo_classification",
    feature="class_token",
    train="train",
    val="val",
    test="test",
    shots=(1, 2, 4, 8),
    draws=10,
    l2=(1.0, 1e-1, 1e-2, 1e-3),
    units="classes",
    encode_batch_size=256,
    workers=1,
)
