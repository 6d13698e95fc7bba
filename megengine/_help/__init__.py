"""What the package says of itself, and to whoever makes a mistake."""
