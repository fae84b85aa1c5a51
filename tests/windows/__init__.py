"""What Windows would see of it, as far as that can be had here."""
