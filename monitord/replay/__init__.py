"""Stories of certificates over time, played through the rules of the daemon under a simulated clock.

The way of the data: a YAML file → ``reading`` → ``story`` → ``play``, which asks ``world`` what is served and known at
a time → ``reckoning`` → ``expectation``.
"""
