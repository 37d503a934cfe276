"""Requests to events and receipts to answers; pure."""
