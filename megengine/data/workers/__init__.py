"""The worker processes of a loader: how they start, what stands for the engine in them, and how batches come back."""
