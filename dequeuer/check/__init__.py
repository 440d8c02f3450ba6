"""Program: `dequeuer check` looks at every precondition of another program, and says what to do."""
