"""Helpers under the names that MegEngine gives them."""
