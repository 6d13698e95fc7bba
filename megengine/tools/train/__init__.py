"""``mge train``: a classifier trained on Fashion-MNIST, and the folder that a run leaves."""
