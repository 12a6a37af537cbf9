"""What may serve a model: its architecture and checkpoints, layouts on every chip, and other ways of serving."""
