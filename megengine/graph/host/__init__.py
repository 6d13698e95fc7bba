"""The tier that needs no compiler: a jaxpr run as NumPy calls, with one rule for each of JAX's primitives."""
