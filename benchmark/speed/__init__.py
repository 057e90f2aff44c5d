"""How much cheaper it was: what a pre-training step costs under each objective, measured and predicted."""
