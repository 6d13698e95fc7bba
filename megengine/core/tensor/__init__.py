"""Here for the path of :mod:`megengine.core.tensor.dtype`."""
