"""HTTP in: requests become events, receipts become answers."""
