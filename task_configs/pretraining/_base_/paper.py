"""What the paper's pre-trainings share (arXiv 2404.15653, appendix A). Not run by itself."""

architecture = "vit_base_conv16"
image_size = 224
augmentation = dict(scale=(0.08, 1.0), flip=0.5)
ema_momentum = 5e-4
seed = 0
