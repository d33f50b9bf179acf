"""Repair on a schedule what lost messages, lost events and changes by hand have left."""
