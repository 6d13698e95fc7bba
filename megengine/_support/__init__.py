"""What several parts of the package need and that itself needs nothing of it: files, downloads, tables, hooks, event files."""
