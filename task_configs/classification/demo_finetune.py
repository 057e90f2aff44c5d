"""Fine-tuning on the embedded classification data: the whole backbone is trained along.

Protocol: 6 epochs of the 640 images of train/ at 96 px, batch 32, AdamW 3e-3 (cosine, 20 steps of warm-up),
layer decay 0.75, weight decay 0.05, label smoothing 0.1, random resized crop and flip; top-1 on test/ once,
after the last step; val/ only fits the temperature that calibration is measured with. The interval is over
classes, as for the linear probe.

Command:
    python run_suite.py run task_configs/classification/demo_finetune.py \
        --backbone run:results/demo/pretrain/catlip \
        --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo_finetune.py"]

optim_wrapper = dict(optimizer=dict(lr=3e-3), paramwise_cfg=dict(layer_decay=0.75))
