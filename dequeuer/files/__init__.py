"""Configuration files: reading and parsing them within bounds, whatever is in them."""
