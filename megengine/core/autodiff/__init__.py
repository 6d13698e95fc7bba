"""Here for the path of :mod:`megengine.core.autodiff.grad`."""
