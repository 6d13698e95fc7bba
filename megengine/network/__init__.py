"""Graphs that were read from files or are about to be written: run, edited, named and ordered, under MegEngine's names."""
