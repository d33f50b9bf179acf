"""The emulator's side of the local stack: ministack and what it lacks."""
