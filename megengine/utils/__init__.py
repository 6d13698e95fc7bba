"""Helpers under the names that MegEngine gives them."""

__all__ = [
    "bn_fusion", "deprecation", "dlpack", "future", "hook", "http_download", "max_recursion_limit", "module_stats",
    "module_utils", "naming", "persistent_cache", "profiler", "tensor_sanity_check", "tensorboard", "tuple_function",
]  # fmt: skip
