"""The program that fills the queue of a batch job."""
