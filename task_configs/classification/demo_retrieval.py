"""Image retrieval on the embedded classification data (drawings), with frozen features.

Protocol: class token at the backbone's own image size; every image of test/ asks for all others, by cosine
similarity; those of its class are relevant; mean average precision and recall at 1 and 5. Nothing is
trained and nothing is chosen. Queries of one class look for each other, so that the interval is over
classes.

Command:
    python run_suite.py run task_configs/classification/demo_retrieval.py \
        --backbone run:results/demo/pretrain/catlip \
        --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

task = dict(
    type="retrieval",
    data="demo_classification",
    feature="class_token",
    train="train",
    val="val",
    test="test",
    encode_batch_size=256,
    workers=1,
)
