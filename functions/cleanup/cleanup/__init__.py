"""Once a week: retention rules, what is due in the bin, and what nothing points to."""
