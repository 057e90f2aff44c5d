"""Image–text retrieval on the embedded pairs that pre-training was watched on.

Protocol: the 1,000 pairs of val/, class token at 96 px and caption in the space that both towers meet in; the
rank of the right caption of each picture, and of the right picture of each caption, by cosine similarity; a
caption that several pictures have is right for each. Recall at 1, 5 and 10 both ways; the interval is over
pairs. For backbones with a text tower. Pre-training saw none of these pairs, but its recipe was chosen by a
loss on them.

Command:
    python run_suite.py run task_configs/classification/demo_image_text.py \
        --backbone run:results/demo/pretrain/clip --data pairs=results/data/demo/pairs

Published: none, the data are drawn by this project.
"""

task = dict(type="image_text", data="pairs", split="val", limit=5000, encode_batch_size=256, workers=1)
