"""Downloading files, under the name that MegEngine has for it."""

from .._support.downloads import CHUNK_SIZE, HTTP_CONNECTION_TIMEOUT, HTTPDownloadError, download_from_url, file_digest
from ..logger import get_logger as get_logger

__all__ = ["CHUNK_SIZE", "HTTP_CONNECTION_TIMEOUT", "HTTPDownloadError", "download_from_url", "file_digest"]
