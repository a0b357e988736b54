"""What models are trained to do."""
