"""Tests of megengine.data.workers."""
