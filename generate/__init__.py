"""Files that follow from the program and its documents: `make generate` writes them, a test finds what drifted."""
