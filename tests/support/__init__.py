"""Tests of megengine._support."""
