"""Multi-label classification of images of your own, whatever they are called, at 384 px.

Protocol: 20 epochs, AdamW 3e-5 -> 3e-6 (cosine, an epoch of warm-up), layer decay 0.75, weight decay 0.05,
batch 64; BCE summed over the classes; random resized crop (at least half of the picture), flip, RandAugment;
tested once after the last step, squeezed to 384 x 384 pixels, on the split test or else val. mAP is the mean
over classes; micro and weighted beside it; the interval is over images. Usual values for a pre-trained ViT;
nothing is chosen on your data; --axis learning_rate=1e-4 puts another rate beside it, --set
model.loss=asymmetric trains by the asymmetric loss.

Data: COCO's layout (annotations/instances_train.json and instances_val.json or instances_test.json, and a
folder of images for each), or a csv of path,label,split with several labels as a|b.

Command:
    python run_suite.py run task_configs/classification/multilabel.py --backbone run:CHECKPOINT_FOLDER \
        --data NAME=PATH

Published: none; the task is tabled as NAME_multilabel.
"""

_base_ = ["finetune.py"]

task = dict(type="multilabel", val=None, hold_out=0.0)

model = dict(loss="bce", label_smoothing=0.0, backbone=dict(with_cp=True))
train_dataloader = dict(
    batch_size=16, dataset=dict(transform=dict(input_size=384, scale=(0.5, 1.0), re_prob=0.0))
)
val_dataloader = dict(
    batch_size=16, dataset=dict(transform=dict(input_size=384, crop_mode="squash", crop_pct=1.0))
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=3e-5))
auto_scale_lr = dict(enable=False, base_batch_size=64)
