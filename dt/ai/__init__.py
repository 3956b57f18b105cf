"""Models of plants: rules, what they conclude, and the registry that keeps them."""
