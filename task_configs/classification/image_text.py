"""Image–text retrieval among pairs of your own, whatever they are called: COCO's or Flickr30k's as shards.

Protocol: class token and caption in the space that both towers meet in; the rank of the right caption of each
picture, and of the right picture of each caption, among the first 5,000 pairs of val/, by cosine similarity;
a caption that several pictures have is right for each. Recall at 1, 5 and 10 both ways; the interval is over
pairs. For backbones with a text tower.

Command:
    python run_suite.py run task_configs/classification/image_text.py \
        --backbone openclip:FOLDER --data NAME=PATH        (PATH holds train/*.tar and val/*.tar)

Published: none; the task is tabled as NAME_image_text.
"""

task = dict(type="image_text", data=None, split="val", limit=5000, encode_batch_size=256, workers=2)
