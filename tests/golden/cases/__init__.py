"""The cases, one file a family; each file has a list CASES."""
