"""Low-rank updates of attention (LoRA) on the embedded classification data.

Protocol: as demo_finetune.py, but of the backbone only updates of rank 16 to the layers of attention are
trained (arXiv 2106.09685, by peft), at learning rate 5e-3: the rung between an attentive probe and
fine-tuning.

Command:
    python run_suite.py run task_configs/classification/demo_lora.py \
        --backbone run:results/demo/pretrain/catlip \
        --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo_finetune.py"]

model = dict(lora=dict(r=16, lora_alpha=16))
optim_wrapper = dict(optimizer=dict(lr=5e-3), paramwise_cfg=dict(layer_decay=1.0))
