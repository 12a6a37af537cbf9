"""Which measured rows may teach or judge a prediction, and why the others may not."""
