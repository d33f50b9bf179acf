"""Count predictions from predict's log lines, each line once."""
