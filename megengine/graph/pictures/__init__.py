"""Graphs as pictures: pages that fold by module, SVG, DOT, and tables of what each part costs."""
