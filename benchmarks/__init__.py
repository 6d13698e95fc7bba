"""Speed and memory, measured side by side with MegEngine, PyTorch and hand-written JAX: ``python -m benchmarks.run``."""
