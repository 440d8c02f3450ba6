"""What a message means: one handler an API kind."""
