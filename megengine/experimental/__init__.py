"""What MegEngine keeps apart, since it may change."""

from .._help.public import public_names
from .weight_scaler import get_scaled_model

__all__ = ["get_scaled_model"]
__dir__ = public_names(globals())
