"""What the commands that call a gateway share: output, input, signals, errors, exit statuses."""
