"""Zero-shot classification of ImageNet-1k: labels named in words, nothing trained.

Protocol: frozen class token at the backbone's own image size. Backbones with a text tower: the mean vector of
OpenAI's 80 captions of each class, its names as OpenCLIP has them, temperature as trained. CatLIP: of each
class the row of its synset in the classifier of pre-training, else of synsets as near as path similarity 0.5
weighted by it, else of the nearest; of the rows' biases the logarithm of the synset's count in captions is
taken off where counts are known (``--axis bias=own``, ``--axis bias=zero``: all ways are in the record).
Top-1 and top-5 on val/ with Wilson's 95 % interval over images.

Command:
    python run_suite.py run task_configs/classification/imagenet1k_zero_shot.py \
        --backbone openclip:FOLDER --data imagenet1k=PATH        (PATH holds train/ and val/)

Published: none for CatLIP, which has no text tower; of CLIP (DataComp-1.3B) ViT-B/16 results/published has
the figure of the released weights.
"""

task = dict(
    type="zero_shot",
    data="imagenet1k",
    by="auto",
    templates="openai",
    alpha=0.5,
    bias="rarity",
    train="train",
    val=None,
    hold_out=0.0,
    test="val",
    units="images",
    encode_batch_size=256,
    workers=8,
)
