"""Backup and restore of a whole stack: its database, its tables, and the objects of its bucket."""
