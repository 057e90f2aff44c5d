"""Linear probe on Places365 as the paper trains it: 30 epochs, one learning rate, nothing chosen.

Protocol: as imagenet1k_trained_probe.py, on the 365 classes of Places365; top-1 and top-5 reported once on
val/ (the 36,500 validation images, sorted into class folders). ``--axis init=transfer`` starts from the rows
of the pre-trained classifier, of a label that names several synsets from their mean (section 4.2), ``--axis
fraction=0.05`` trains on 5 % of each class: the paper's figure 5b.

Different from the paper: features are those of the centre crop, taken once; the released code trains on
random resized crops and flips.

Command:
    python run_suite.py run task_configs/classification/places365_trained_probe.py \
        --backbone run:CHECKPOINT_FOLDER --data places365=PATH        (PATH holds train/ and val/)

Published: ViT-B/16, CatLIP (DataComp-1.3B) 53.6 top-1, CatLIP (CC3M) 49.1 (arXiv 2404.15653, table 1).
"""

_base_ = ["imagenet1k_trained_probe.py"]

task = dict(data="places365")
