"""Image–text pairs from shards to batches."""
