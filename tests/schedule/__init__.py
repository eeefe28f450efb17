"""Tests of the timetable and the scheduler."""
