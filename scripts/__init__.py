"""What a person types, and what stands behind it."""
