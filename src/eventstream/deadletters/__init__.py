"""Events that no attempt could handle: how they are kept, and how they come back."""
