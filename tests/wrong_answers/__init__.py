"""Wrong answers that people give, and right ones: what the checks themselves are tested against."""
