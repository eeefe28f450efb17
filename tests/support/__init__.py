"""Real local servers and builders that tests of several rooms share."""
