"""Whom the local stack's ports answer: its owner's programs, its own pages, requests signed with its key."""
