"""What a backbone makes of images without being trained: extracted once, kept, and shared by all that ask."""
