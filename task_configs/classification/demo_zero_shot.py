"""Zero-shot classification of the embedded classification data: labels named in words, nothing trained.

Protocol: frozen class token at 96 px. CLIP: the mean vector of OpenCLIP's 7 simple captions of each class's
name. CatLIP: of each class the row of its synset in the classifier of pre-training, else of synsets as near
as path similarity 0.5 weighted by it; of the rows' biases the logarithm of the synset's count in captions is
taken off (all ways to treat them are in the record). Top-1 on test/; the interval is over classes, as for the
linear probe.

Command:
    python run_suite.py run task_configs/classification/demo_zero_shot.py \
        --backbone run:results/demo/pretrain/catlip \
        --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/over_classes.py"]

task = dict(
    type="zero_shot",
    data="demo_classification",
    by="auto",
    templates="simple",
    alpha=0.5,
    bias="rarity",
    train="train",
    val="val",
    test="test",
    units="classes",
    encode_batch_size=256,
    workers=1,
)
