"""What each program needs of AWS, as data, and the IAM policies that grant it and nothing else."""
