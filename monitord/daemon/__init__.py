"""The daemon: puts the rooms together, keeps them running, reloads, and shuts down in order."""
