"""Real servers on this machine, started by one command with neither Docker nor Java."""
