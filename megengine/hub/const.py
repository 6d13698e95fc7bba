"""Names and defaults of the hub."""

__all__ = [
    "DEFAULT_BRANCH_NAME", "DEFAULT_CACHE_DIR", "DEFAULT_GIT_HOST", "DEFAULT_PROTOCOL", "ENV_MGE_HOME", "ENV_XDG_CACHE_HOME",
    "HUBCONF", "HUBDEPENDENCY",
]  # fmt: skip

DEFAULT_BRANCH_NAME = "master"
HUBCONF = "hubconf.py"
HUBDEPENDENCY = "dependencies"
DEFAULT_GIT_HOST = "github.com"
ENV_MGE_HOME = "MGE_HOME"
ENV_XDG_CACHE_HOME = "XDG_CACHE_HOME"
DEFAULT_CACHE_DIR = "~/.cache"
DEFAULT_PROTOCOL = "HTTPS"
HTTP_READ_TIMEOUT = 120  # seconds, as in MegEngine; a download here ends after a pause
