"""Lessons: all that a task knows as one zip, written here and taken in by another installation.

The format is in docs/lessons.md. What comes in was written by anybody: nothing of it is believed
before it was checked, and nothing is unpacked to the disk.
"""
