"""What runs and looks after the product: the demo, the supervisor, the doctor."""
