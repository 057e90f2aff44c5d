"""What is said under figures whose intervals are over classes of one drawing each. Not run by itself."""

notes = [
    "The interval of top-1 is over classes, whose images are renderings of one drawing each: it says how the "
    "figure would move with other drawings. Over images, for these drawings alone, it is narrower: "
    "top1_over_images in cells.csv."
]
