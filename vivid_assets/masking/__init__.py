"""The tier ladder: which model's mask is used for a picture, and why."""
