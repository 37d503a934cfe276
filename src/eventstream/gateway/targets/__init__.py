"""Request targets and headers to routes; pure. `reading.py` chooses the reader by the path."""
