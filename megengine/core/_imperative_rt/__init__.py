"""Here for the path of :mod:`megengine.core._imperative_rt.core2`."""
