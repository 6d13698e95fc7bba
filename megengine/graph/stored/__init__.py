"""Traces that the package comes with: jaxprs of symbolic sizes, made for one version of JAX and one state of the ops' sources.

The first step of a small program is mostly JAX tracing operators that it meets for the first time. What is here was traced
beforehand (``python -m traces``); of another version of JAX, or of sources that have changed since, nothing is used.
"""
