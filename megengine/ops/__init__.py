"""The table of operators: one record an op, one file a family.

An op is declared by decorating a pure function on JAX arrays with :func:`megengine.ops.op.op`; keyword-only arguments are
its static attributes. Shapes and dtypes are inferred by abstract evaluation and gradients by JAX, unless the record says
otherwise.
"""
