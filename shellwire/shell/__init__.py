"""What running a command means: the text a shell runs, and the state that it leaves behind."""
