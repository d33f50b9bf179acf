"""Start rollouts, judge them each minute, and take them to Production or back."""
