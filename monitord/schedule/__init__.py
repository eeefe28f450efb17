"""When each endpoint is probed: a timetable that is pure, and the clockwork that follows it."""
