"""oneDNN, the library of CPU kernels, where it is installed: plans of primitives that compute ops on arrays in memory."""
