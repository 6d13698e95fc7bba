"""Command-line tools: ``mge`` and what stands behind it."""
