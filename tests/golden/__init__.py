"""Golden data: what MegEngine 1.13.0 answers, and the cases that ask (see README.md)."""
