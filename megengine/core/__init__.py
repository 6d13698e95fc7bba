"""The few names of MegEngine's internals that public programs import."""
