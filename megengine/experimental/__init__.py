"""What MegEngine keeps apart, since it may change."""
