"""The program that runs jobs to their end."""
