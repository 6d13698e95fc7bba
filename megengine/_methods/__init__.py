"""What Tensor's methods and the functional API share: axes, shapes and indices turned into op attributes."""
