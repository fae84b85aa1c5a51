"""Plain HTTP for whole files and directories, under ``/files``."""
