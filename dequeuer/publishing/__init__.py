"""Where the ends of requests are published besides queues: topics of SNS and buses of EventBridge."""
