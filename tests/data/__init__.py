"""Tests of megengine.data."""
