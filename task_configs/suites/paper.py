"""Every table and figure of arXiv 2404.15653 that transfers a backbone, for ViT-B, L and H.

Protocol: the released weights where there are any (a folder of them is named by --weights), else backbones
pre-trained here on CC3M and DataComp-1.3B; each goes through the tasks that results/published/panels.csv
lists for it, as their configs say. What lacks its data, pairs or weights is left out of a run and made by a
later one: python run_suite.py plan --suite paper says what is there, what is missing and what it would cost.

Command:
    python run_suite.py --suite paper

Published: CatLIP (DataComp-1.3B) ViT-B/16 84.3 top-1 against CLIP's 84.4 on ImageNet-1k (arXiv 2404.15653,
table 2), and whatever else results/published holds.
"""

partial = True
data = dict(
    cc3m="{results}/data/cc3m",
    datacomp="{results}/data/datacomp",
    imagenet1k="{results}/data/imagenet1k",
    places365="{results}/data/places365",
    coco="{results}/data/coco",
    ade20k="{results}/data/ade20k",
)
backbones = dict(
    clip_b="corenet:{weights}/clip_vit_base.pt",
    catlip_b="corenet:{weights}/vit_base.pt",
    catlip_l="corenet:{weights}/vit_large.pt",
    catlip_h="corenet:{weights}/vit_huge.pt",
)
_released = list(backbones)
_catlip = [_name for _name in _released if _name != "clip_b"]

# The lowest of the thresholds in figure 6: each recipe leaves out what is too rare for it.
vocabulary = dict(min_count=101)
pretraining = {
    f"catlip_{_letter}_datacomp": dict(config=f"pretraining/datacomp_catlip_vit_{_size}.py", data="datacomp")
    for _letter, _size in dict(b="base", l="large", h="huge").items()
}
_cc3m = {
    f"{_objective}_cc3m_{_epochs}": dict(
        config=f"pretraining/cc3m_{_objective}.py", data="cc3m", set=dict(samples=_epochs * 2_900_000)
    )
    for _epochs in (25, 50, 75, 100)
    for _objective in ("clip", "catlip")
}
_thresholds = {
    f"catlip_cc3m_vtau{_threshold}": dict(
        config="pretraining/cc3m_catlip.py", data="cc3m", set={"objective.min_count": _threshold + 1}
    )
    for _threshold in (100, 1000, 2500, 5000)
}
_here = {**_cc3m, **_thresholds}
pretraining.update(_here)  # those on DataComp-1.3B are for their losses alone, figure 8
backbones.update({_name: "run:{suite}/pretrain/" + _name for _name in pretraining})

# Table 1, figures 4 and 6, and the ends of figure 5's curves.
tasks = [
    dict(config="classification/imagenet1k_trained_probe.py", backbones=[*_catlip, *_here]),
    dict(config="classification/places365_trained_probe.py", backbones=[*_catlip, "catlip_cc3m_100"]),
]
# Tables 1 to 5.
_sizes = dict(base=["clip_b", "catlip_b"], large=["catlip_l"], huge=["catlip_h"])
for _size, _names in _sizes.items():
    for _data in ("imagenet1k", "places365"):
        _more = ["catlip_cc3m_100"] if _size == "base" else []
        _config = f"classification/{_data}_finetune_vit_{_size}"
        tasks += [
            dict(config=f"{_config}.py", backbones=[*_names, *_more]),
            dict(config=f"{_config}_512.py", backbones=_names[-1:]),
        ]
    if _size != "huge":
        tasks += [dict(config=f"classification/coco_multilabel_vit_{_size}.py", backbones=_names)]
    tasks += [
        dict(config=f"segmentation/ade20k_deeplabv3_vit_{_size}.py", backbones=_names),
        dict(config=f"detection/coco_mask_rcnn_vit_{_size}.py", backbones=_names),
    ]
# Figures 5 and 7.
_shares = dict(fraction=[0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 0.75, 1.0], init=["random", "transfer"])
tasks += [
    dict(
        config=f"classification/{_data}_trained_probe.py",
        name=f"{_data}_probe_by_share",
        axes=_shares,
        backbones=_catlip,
    )
    for _data in ("imagenet1k", "places365")
]
tasks += [
    dict(
        config=f"classification/imagenet1k_finetune_vit_{_size}.py",
        name=f"imagenet1k_finetune_by_share_{_size}",
        axes=_shares,
        backbones=_names[-1:],
    )
    for _size, _names in _sizes.items()
]
seeds = 1
