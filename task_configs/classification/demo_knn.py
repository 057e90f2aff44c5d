"""k-nearest neighbours on the embedded classification data (drawings), with frozen features.

Protocol: class token at the backbone's own image size; the 5 and the 20 training images nearest by cosine
similarity vote, each with exp(similarity / 0.07), as in DINO's evaluation; the number of neighbours is
chosen on validation images; top-1 on test/ reported once. The interval is over classes, whose images are
renderings of one drawing each.

Command:
    python run_suite.py run task_configs/classification/demo_knn.py \
        --backbone run:results/demo/pretrain/catlip \
        --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

task = dict(
    type="knn",
    data="demo_classification",
    feature="class_token",
    train="train",
    val="val",
    test="test",
    k=(5, 20),
    temperature=0.07,
    units="classes",
    encode_batch_size=256,
    workers=1,
)
