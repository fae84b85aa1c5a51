"""Commands that copy files from here to there and back."""
