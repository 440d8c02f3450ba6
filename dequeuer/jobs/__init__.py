"""What a job is: its keys, its specification, its submission and its status, all of them kept in S3."""
