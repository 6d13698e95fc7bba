"""Models that others publish: functions in a repository's ``hubconf.py``, and weights at an address."""

from . import const, exceptions, fetcher, tools
from .hub import help, import_module, list, load, load_serialized_obj_from_url, pretrained
