"""The handle with which a registered hook is taken away again, under the name that MegEngine has for it."""

from .._support.hooks import HookHandler

__all__ = ["HookHandler"]
