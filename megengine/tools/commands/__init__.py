"""Subcommands of ``mge`` that look at programs and models, a file each."""
